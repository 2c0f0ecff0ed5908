"""F5 as Linux admits it: the CPU that empties a zspage destroys it even if it is isolated, and the isolator uses it afterwards.

mm/zsmalloc.c, zs_page_migrate(): "nothing prevents a zspage from getting destroyed while it is isolated for migration, as the page lock is
temporarily dropped after zs_page_isolate()". In Linux a reference keeps the page, and a test for NULL hides the rest; a page without a
count has neither. As zspage-migration, with one object and a zs_free() of its own.
"""

from kernels.alloc.pages import alloc_frozen_pages
from kernels.alloc.release import free_uncounted
from kernels.base.atomics import load_relaxed, store_relaxed
from kernels.base.jit import kernel
from kernels.base.layout import LC_ZS_CLASS, MT_MOVABLE, OBJ_SHIFT, T_MOVABLE, U_PRIVATE
from kernels.base.lock import spin_lock, spin_unlock
from kernels.page.udesc import udesc_move, udesc_word
from kernels.types.objects import object_give
from kernels.types.zspage import zs_find, zs_malloc_new, zs_object_words, zspage_of
from stress.explore.model import Model, small_geometry
from stress.explore.models._folios import no_check, stock_list
from stress.explore.models.uncounted.zspage_migration import FIRST, FRAME, move

CLASS = 1  # one object a frame: a full zspage, which is on no list


@kernel
def prepare(mem, cpu):
    """One zspage has one object, and CPU 1's list has a frame."""
    pfn = alloc_frozen_pages(mem, cpu, 0, 0, MT_MOVABLE)
    mem.scratch[FRAME] = pfn
    zs_malloc_new(mem, cpu, CLASS, FIRST, pfn)
    stock_list(mem, 1)
    return 0


@kernel
def destroy(mem, cpu, handle):
    """zs_free() of the last object, without a check of the isolation.

    Returns     0
    """
    lock = mem.lock_zs_class + CLASS
    spin_lock(mem, cpu, lock, LC_ZS_CLASS)
    obj = zs_find(mem, cpu, handle)
    pfn, zspage = obj >> OBJ_SHIFT, zspage_of(mem, obj)
    object_give(mem, cpu, zspage, obj, zs_object_words(mem, CLASS), handle)
    store_relaxed(mem.zs_obj, handle, 0)
    while not udesc_move(mem, cpu, zspage, load_relaxed(mem.u_word, zspage), udesc_word(T_MOVABLE, pfn, U_PRIVATE, 0)):
        pass
    spin_unlock(mem, cpu, lock)
    free_uncounted(mem, cpu, T_MOVABLE, zspage, pfn)
    return 0


@kernel
def steps(mem, cpu):
    """Destroy; migrate.

    Returns     what the migration returned
    """
    return destroy(mem, cpu, FIRST) if cpu == 0 else move(mem, cpu, mem.scratch[FRAME])


MODEL = Model(
    "zspage-destroy-linux",
    "an owner destroys a zspage that compaction has isolated",
    "P10; F5",
    small_geometry(2, words_per_frame=4),
    prepare,
    steps,
    no_check,
    meetings=("zspage_migrate",),
    breaks="a zspage is destroyed while it is isolated (F5)",
)
