"""Words as text, and words that no kernel would write."""

import pytest

from kernels.base.layout import (
    BUDDY_ORDER_SHIFT,
    CPU_SHIFT,
    DESC_SHIFT,
    FL_LOCKED,
    FL_LRU,
    MAPPING_ANON,
    NONE_WORD,
    OFF_ISOLATED,
    ORDER_SHIFT,
    OWNER_SHIFT,
    STATE_SHIFT,
    SUBTYPE_SHIFT,
    TAIL_BIT,
    U_PFN_SHIFT,
    U_TYPE_SHIFT,
    Geometry,
    Misc,
    Type,
    Udesc,
)
from stress.machine import words
from stress.machine.segment import create_machine

OFFLINE = Type.MISC | Misc.OFFLINE << SUBTYPE_SHIFT


@pytest.mark.parametrize(
    ("word", "text"),
    [
        (NONE_WORD, "NONE"),
        (Type.BUDDY | 3 << BUDDY_ORDER_SHIFT, "BUDDY order 3"),
        (Type.ANON | 5 << DESC_SHIFT, "ANON desc 5"),
        (Type.SLAB | 7 << DESC_SHIFT, "SLAB desc 7"),
        (OFFLINE | OFF_ISOLATED << STATE_SHIFT | 3 << CPU_SHIFT | 2 << OWNER_SHIFT, "OFFLINE ISOLATED by cpu 3, balloon 2"),
        (OFFLINE | 7 << STATE_SHIFT, "OFFLINE 7, balloon 0"),
        (OFFLINE | TAIL_BIT | 2 << ORDER_SHIFT, "OFFLINE tail, order 2"),
        (Type.MISC | Misc.VMALLOC << SUBTYPE_SHIFT, "MISC VMALLOC, order 0"),
        (Type.MISC | 99 << SUBTYPE_SHIFT, "MISC 99, order 0"),
        (15, "15 0"),
    ],
)
def test_memdesc_words(word, text):
    assert words.memdesc_text(int(word)) == text


def test_flags_have_the_kernels_names():
    assert words.flags_text(FL_LOCKED | FL_LRU) == "locked|lru"
    assert words.flags_text(0) == "none"
    assert words.flags_text(FL_LRU | 1 << 30) == "lru|0x40000000"


def test_mappings():
    assert words.mapping_text(0, 3) == "no mapping"
    assert words.mapping_text(5 << 1 | MAPPING_ANON, 3) == "anonymous, task 4, page 3"
    assert words.mapping_text(5 << 1, 3) == "file 4, page 3"


@pytest.fixture
def arrays():
    return create_machine(Geometry(nr_cpus=2, frames_per_node=512, words_per_frame=8, nr_tasks=4, task_pages=64, table_pages=16), {}).arrays


def test_a_descriptor_is_shown_with_counts_flags_and_mapping(arrays):
    for name, word in {
        "folio_pfn": 40,
        "folio_type": int(Type.ANON),
        "refcount": 2,
        "mapcount": 1,
        "flags": FL_LRU,
        "folio_index": 9,
    }.items():
        arrays[name][5] = word
    arrays["mapping"][5] = 1 << 1 | MAPPING_ANON
    text = "descriptor 5: ANON folio of order 0 at pfn 40; refcount 2, mapcount 1, pincount 0; flags lru; anonymous, task 0, page 9"
    assert words.desc_text(arrays, 5) == text
    arrays["u_word"][6] = Udesc.ISOLATED | 1 << 3 | Type.SLAB << U_TYPE_SHIFT | 77 << U_PFN_SHIFT
    assert words.udesc_text(arrays, 6).startswith("uncounted descriptor 6: SLAB at pfn 77, ISOLATED by cpu 1;")


@pytest.mark.parametrize("index", [-1, 1 << 40])
def test_a_descriptor_that_does_not_exist_is_no_error(arrays, index):
    assert words.desc_text(arrays, index) == f"descriptor {index}: there is none"
    assert words.udesc_text(arrays, index) == f"uncounted descriptor {index}: there is none"
