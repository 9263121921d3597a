"""The protocol of SpamAssassin's spamd, as spamc and Exim speak it, and rspamd's older variant."""
