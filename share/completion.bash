# SPDX-License-Identifier: GPL-3.0-or-later
# Completion of umbra for bash: commands, options and plugins as the program itself lists them.
_umbra() {
	local word=${COMP_WORDS[COMP_CWORD]} last=${COMP_WORDS[COMP_CWORD-1]} command=${COMP_WORDS[1]} program=${COMP_WORDS[0]}
	COMPREPLY=()
	if [ "$COMP_CWORD" = 1 ]; then
		COMPREPLY=($(compgen -W "$("$program" help 2>/dev/null | sed -n 's/^  umbra \([a-z0-9]*\).*/\1/p') --version" -- "$word"))
		return
	fi
	if [[ $word == -* ]]; then
		COMPREPLY=($(compgen -W "$("$program" help "$command" 2>/dev/null | sed -n '1s/[^-]*\(-[-a-z]*\)/\1 /gp' |
			tr ' ' '\n' | grep '^-')" -- "$word"))
		return
	fi
	case $command in
	help|template|test)
		COMPREPLY=($(compgen -W "$("$program" list 2>/dev/null | sed -n 's/^ *\([a-z]*\/[-a-z0-9_]*\).*/\1/p')" -- "$word")) ;;
	list|new)
		COMPREPLY=($(compgen -W "forward priors inference" -- "$word")) ;;
	esac
	case $command:$last in
	run:-o|report:*) compopt -o dirnames ;;
	*) compopt -o default ;;
	esac
}
complete -F _umbra umbra
