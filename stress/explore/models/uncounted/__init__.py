"""Frames without a folio: balloon pages, zspages, slabs, page tables and page-pool frames."""
