"""Mail on the wire: handing it to a mail server (`client`), and taking it from one (`listener`)."""
