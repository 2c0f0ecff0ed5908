"""The first state of a machine: all frames free, all tables empty.

Models      memblock_free_all(), mm/memblock.c; build_all_zonelists(), __setup_per_zone_wmarks(), mm/page_alloc.c
"""

from kernels.alloc.pages import setup_zone_wmarks
from kernels.alloc.zone import boot_free
from kernels.base.atomics import cycles
from kernels.base.flavour import CHECKED
from kernels.base.jit import entry, kernel
from kernels.base.layout import M_RESERVED, MT_MOVABLE, NONE_WORD, NR_ORDERS, PCP_HIGH, PCP_STRIDE, SH_OWNED
from kernels.base.random import seed_random
from kernels.page.memdesc import misc_word
from kernels.page.refcount import frozen_value


@kernel
def boot_zone(mem, nid):
    """Free every frame of a node but the reserved ones as the largest aligned blocks, all movable, and set the watermarks.

    Models      free_area_init(), memmap_init_reserved_pages(), mm/mm_init.c: the memory of the firmware and of the kernel image
    Progress    wait-free
    """
    first, end = nid * mem.frames_per_node, (nid + 1) * mem.frames_per_node
    for block in range(first >> mem.pageblock_order, end >> mem.pageblock_order):
        mem.block_migratetype[block] = MT_MOVABLE
        mem.block_nid[block] = nid
    for pfn in range(first, end):
        mem.memdesc[pfn] = NONE_WORD
    for pfn in range(first, first + mem.reserved_frames):
        mem.memdesc[pfn] = misc_word(M_RESERVED, 0, nid, 0)
        if CHECKED:
            mem.shadow[pfn] = SH_OWNED
    boot_free(mem, nid, first + mem.reserved_frames, end)
    mem.zone_managed[nid] = mem.frames_per_node - mem.reserved_frames
    setup_zone_wmarks(mem, nid)
    mem.zone_migrate_pfn[nid] = first
    mem.zone_free_pfn[nid] = end - (1 << mem.pageblock_order)
    mem.zone_order_failed[nid] = NR_ORDERS


@kernel
def boot_machine(mem):
    """Set up the first state of a machine whose header is filled.

    Models      start_kernel(), as far as mm is concerned
    Returns     free frames
    Progress    wait-free
    """
    for desc in range(mem.nr_desc):
        mem.desc_stack[desc] = mem.nr_desc - 1 - desc
        mem.refcount[desc] = frozen_value(mem)
    mem.desc_top[0] = mem.nr_desc
    for udesc in range(mem.nr_udesc):
        mem.udesc_stack[udesc] = mem.nr_udesc - 1 - udesc
    mem.udesc_top[0] = mem.nr_udesc
    for space in range(mem.nr_tasks):
        mem.tlb_generation[space] = 1
    for pcp in range(mem.nr_cpus * mem.nr_nodes):
        mem.pcp_nr[pcp * PCP_STRIDE + PCP_HIGH] = mem.pcp_high
    for cpu in range(mem.nr_cpus):
        seed_random(mem, cpu, mem.seed)
        mem.cpu_nid[cpu] = cpu % mem.nr_nodes
    total = 0
    for nid in range(mem.nr_nodes):
        boot_zone(mem, nid)
        total += mem.zone_free[nid]
    return total


@entry
def boot(mem, unused):
    """boot_machine(), for Python.

    Returns     free frames
    Progress    wait-free
    """
    return boot_machine(mem)


@entry
def read_cycles(mem, unused):
    """The steady counter, to calibrate cycles_per_us with.

    Returns     cycles
    Progress    wait-free
    """
    return cycles()
