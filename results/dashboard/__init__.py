"""The live viewer of a results database: pages made on the server, read from the database as it is now.

What may be relied on.

* Nothing is ever written: connections are read-only, and each page reads in short transactions, so that a campaign
  that runs at the same moment neither waits nor is slowed. (A database of an older schema is upgraded when it is
  opened, as by every command.)
* Whatever a model or a candidate wrote is text. It is escaped where it is put into a page, characters that cannot be
  seen are shown as escapes, and the content security policy refuses every script and style that is no file of ours.
* Only this machine is answered: the socket is bound to 127.0.0.1, and a request that names another host is refused
  (DNS rebinding). Only GET and HEAD are answered. No page asks for anything from another origin.
* Every page is whole without the script, which looks whether something changed and then replaces the parts that did.

Not covered: other users of this machine, who may connect to the port.
"""
