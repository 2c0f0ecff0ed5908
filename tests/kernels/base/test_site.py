"""The number of the calling kernel."""

from kernels.base.layout import Bug
from kernels.base.site import kernel_name, site_number


def test_a_symbol_names_its_kernel():
    symbol = "_ZN7kernels4base4lock11spin_unlockB3v12B54c8tJTIeFIjxB2IKSgI4CrvQ"
    assert kernel_name(symbol) == "kernels.base.lock.spin_unlock"


def test_a_record_has_the_kernel_that_broke(machine):
    machine.expect_bug(Bug.LOCK_OWNER, lambda: machine.on(1).spin_unlock(0))
    assert machine["bug_site"][0] == site_number("kernels.base.lock.spin_unlock")
