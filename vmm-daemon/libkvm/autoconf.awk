# SPDX-License-Identifier: GPL-2.0-only
# autoconf.awk autoconf.edit autoconf.h: apply the one to the other.

FNR == NR {
	if ($0 ~ /^-/)
		drop["CONFIG_" substr($1, 2)] = 1
	else if ($0 ~ /^\+/) {
		drop["CONFIG_" substr($1, 2)] = 1
		add[++n] = "#define CONFIG_" substr($1, 2) " " $2
	}
	next
}
$1 == "#define" && ($2 in drop) { next }
{ print }
END {
	for (i = 1; i <= n; i++)
		print add[i]
}
