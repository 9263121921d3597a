dnl Sendmail behind Gatepost: lines for sendmail.mc, in place of its DAEMON_OPTIONS for port 25.
dnl Gatepost listens on port 25 and passes mail to 127.0.0.1:10026; its side is gatepost.yaml beside
dnl this file. Sendmail understands neither XCLIENT nor PROXY, so every message seems to come from
dnl 127.0.0.1: its own checks of the client see nothing, and it relays what loopback may relay. Who may
dnl send where is therefore decided by Gatepost's recipient_domains alone.
DAEMON_OPTIONS(`Family=inet, Name=MTA-behind-gatepost, Port=10026, Addr=127.0.0.1, M=E')dnl
