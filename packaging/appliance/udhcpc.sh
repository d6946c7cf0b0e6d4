#!/bin/sh
# What udhcpc found out, applied.
case $1 in
    deconfig) ip addr flush dev "$interface" ;;
    bound | renew)
        ip addr replace "$ip/${mask:-24}" dev "$interface"
        # Of several cards the first that is told of a way out keeps it.
        ! ip route show default | grep -v "dev $interface" | grep -q . || exit 0
        for gateway in $router; do ip route replace default via "$gateway" dev "$interface"; break; done
        ;;
esac
