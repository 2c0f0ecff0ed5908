"""What the asv suite and the comparison with C measure: entries and machines. They are installed, so any commit can be measured."""
