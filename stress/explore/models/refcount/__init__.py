"""Reference counts: speculative gets, last puts and freezes, by compare-and-exchange and with a frozen bit."""
