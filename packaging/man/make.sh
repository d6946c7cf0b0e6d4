#!/usr/bin/env bash
# Makes the manual pages: packaging/man/make.sh PROGRAMS OUT
#
# PROGRAMS is the folder of the built programs, OUT where the pages go. What the programs say of themselves (--help, printed
# from the tables of commands and options that also parse) is the source; the files *.in beside this script add the prose
# around it. In them, a line
#
#     @help PROGRAM [COMMAND]      becomes that program's help: its options, its examples, its paragraphs
#     @options PROGRAM             becomes what follows from the first option on
#     @commands PROGRAM            becomes a section for each command of a program, from its help
#     @settings PROGRAM            becomes the list of node.conf's options
#
# The date of a page is that of the last entry of the changelog.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
programs=$(cd "$1" && pwd)
out=$2
version=$(sed -n 's/^VERSION *:= *//p' "$here/../../Makefile")
when=$(sed -n 's/^ -- .*>  //p' "$here/../deb/changelog" | head -n 1)
date=$(date -u -d "$when" +%Y-%m-%d)
export COLUMNS=5000 LC_ALL=C.UTF-8 # paragraphs in one line each

# Help as people read it, to what groff reads: "  --option VALUE   text" is an item, deeper text goes on with it; what is
# indented by four and no option is an example; "Title:" alone opens a subsection; the rest are paragraphs.
to_groff() {
    awk '
    function quote(s) { gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s); sub(/^[.\x27]/, "\\\\\\&&", s); return s }
    function plain() { if (example) { print ".EE"; print ".RE"; example = 0 } }
    /^[ ]*$/                 { if (example) gap = 1; else if (said) par = 1; next }
    example && /^    /       { if (gap) print ""
                               gap = 0; sub(/^    /, ""); print quote($0); next }
    /^  -/ || /^      --/    { plain(); head = $0; sub(/^ +/, "", head)
                               at = match(head, /  +/)
                               if (!at && match(head, /^--[a-z-]+ [^ ]+ /)) { at = RLENGTH; RSTART = at; RLENGTH = 1 }
                               text = at ? substr(head, RSTART + RLENGTH) : ""
                               if (at) head = substr(head, 1, at - 1)
                               print ".TP"; print ".B " quote(head); if (text != "") print quote(text)
                               item = said = 1; par = 0; next }
    /^       / && item       { sub(/^ +/, ""); print quote($0); next }
    /^    /                  { print ".RS 4"; print ".EX"; example = said = par = 1; item = gap = 0
                               sub(/^    /, ""); print quote($0); next }
    /^  [^ ]/ && !item       { plain(); sub(/^ +/, ""); print ".P"; print quote($0); said = 1; next }
    /^[A-Z][a-z ]*:$/        { plain(); item = 0; sub(/:$/, ""); print ".P"; print ".I " quote($0) ":"; par = 0; said = 1; next }
                             { plain(); if (par || item) print ".P"; item = 0; par = 0; said = 1; print quote($0) }
    END                      { plain() }'
}

help_of() { # program, [command]
    "$programs/$1" "${@:2}" --help
}

# A command, without the options that all have; those stand in the section of their own.
command_of() { # program, command
    local text synopsis
    text=$(help_of "$1" "$2")
    synopsis=$(sed -n "1s/^usage: $1 //p" <<<"$text")
    printf '.SS %s\n' "$(sed 's/-/\\-/g' <<<"$synopsis")"
    sed -e 1d -e '/^Common options:/,$d' <<<"$text" | to_groff
}

commands_of() { # program
    local command
    for command in $(help_of "$1" | sed -n '/^usage:/,/^$/s/^  \([a-z][a-z-]*\) .*/\1/p'); do
        command_of "$1" "$command"
    done
    printf '.SH OPTIONS\nThese go with every command.\n'
    help_of "$1" "$command" | sed '1,/^Common options:/d' | to_groff
}

# "  name   what it does [type; default]" under a group's title.
settings_of() { # program
    help_of "$1" | sed '1,/^Options of node.conf/d' | awk '
    function quote(s) { gsub(/\\/, "\\e", s); gsub(/-/, "\\-", s); sub(/^[.\x27]/, "\\\\\\&&", s); return s }
    /^$/        { next }
    /^[^ ]/     { print ".SS " quote($0); next }
                { name = $1; text = $0; sub(/^ +[^ ]+ +/, "", text); kind = text; sub(/.* \[/, "", kind); sub(/\]$/, "", kind)
                  sub(/ \[[^[]*$/, "", text); fallback = ""
                  if ((at = index(kind, "; ")) > 0) { fallback = substr(kind, at + 2); kind = substr(kind, 1, at - 1) }
                  printf ".TP\n.BR \"%s\" \" = \" \\fI%s\\fR\n%s.\n", quote(name), quote(kind), quote(text)
                  if (fallback == "required") print "Required."
                  else if (fallback != "") printf "Default: \\fB%s\\fR.\n", quote(fallback) }'
}

page() { # file.in
    local line words
    while IFS= read -r line; do
        read -ra words <<<"$line"
        case ${words[0]:-} in
            @help) help_of "${words[@]:1}" | sed -e '/^Options of node.conf/,$d' -e '/^usage:/d' -e '/^Usage:/,/^$/d' | to_groff ;;
            @options) help_of "${words[1]}" | sed -n '/^  *-/,$p' | to_groff ;;
            @commands) commands_of "${words[1]}" ;;
            @settings) settings_of "${words[1]}" ;;
            *) sed -e "s/@VERSION@/$version/g" -e "s/@DATE@/$date/g" <<<"$line" ;;
        esac
    done <"$1"
}

mkdir -p "$out"
for file in "$here"/*.in; do
    name=$(basename "$file" .in)
    page "$file" >"$out/$name.tmp"
    mv "$out/$name.tmp" "$out/$name"
done
