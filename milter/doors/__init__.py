"""What every door does alike: groups of recipients, one decision, one record; no protocol."""
