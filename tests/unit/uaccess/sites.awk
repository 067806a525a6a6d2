# SPDX-License-Identifier: GPL-2.0-only
#
# Print "KIND FILE FUNCTION ACCESSOR" for each user-memory accessor in kernel C
# files: KIND is "client" for the checked accessors (an ioctl's arguments), and
# "guest" for the unchecked ones (a window).
#
# The function is the last one whose header began in column 0.

FNR == 1 {
	name = FILENAME
	sub(/^.*\/linux-[^\/]*\//, "", name)
	func_name = "-"
}

# A function's header, or a function-like macro.
/^[A-Za-z_].*\(/ && !/;[ \t]*$/ && !/^(if|for|while|switch|else|return|typedef|EXPORT_SYMBOL|MODULE_)/ {
	head = $0
	if (match(head, /FNAME\([a-z_0-9]+\)/)) {
		func_name = substr(head, RSTART + 6, RLENGTH - 7)
	} else {
		sub(/\(.*$/, "", head)
		n = split(head, word, /[^A-Za-z0-9_]+/)
		func_name = word[n] == "" ? word[n - 1] : word[n]
	}
}
/^#define +[A-Za-z_0-9]+\(/ {
	head = $0
	sub(/^#define +/, "", head)
	sub(/\(.*$/, "", head)
	func_name = head
}

{
	line = $0
	sub(/\/\*.*\*\//, "", line)
	sub(/\/\/.*$/, "", line)
	if (line ~ /^[ \t]*\*/)
		next
	rest = line
	while (match(rest, /[A-Za-z_0-9]+[ \t]*\(/)) {
		word_ = substr(rest, RSTART, RLENGTH)
		rest = substr(rest, RSTART + RLENGTH)
		sub(/[ \t]*\($/, "", word_)
		if (word_ == func_name)
			continue
		if (word_ ~ /^(copy_from_user|copy_to_user|_copy_from_user|_copy_to_user|get_user|put_user|v?memdup_user|v?memdup_array_user|strncpy_from_user|strndup_user|clear_user|copy_struct_from_user|check_zeroed_user|get_compat_sigset)$/)
			print "client", name, func_name, word_
		else if (word_ ~ /^(__copy_(from|to)_user(_inatomic)?|__get_user|__put_user|unsafe_(get|put)_user|__clear_user|(copy_(from|to)_user|get_user|strncpy_from_user)_nofault|user_(read_|write_)?access_begin|__(try_)?cmpxchg_user|unsafe_try_cmpxchg_user|(probe|copy)_user_.*)$/)
			print "guest", name, func_name, word_
	}
}
