# Answers that members gave, recorded: what is made of them needs no member (--from).
saved=$here/recorded
from() { # document, jq expression that changes it, command...
    local document=$1 change=$2
    shift 2
    jq "$change" "$saved/$document.json" >"$work/changed.json"
    run "$@" --from "$work/changed.json"
}
# What, exit code wanted, extended regular expression expected in the output, then as from().
shows() {
    local what=$1 wanted=$2 pattern=$3
    shift 3
    from "$@"
    if [ "$code" != "$wanted" ]; then
        not_ok "$what" "exit code $code, not $wanted: ${err//$'\n'/ / }"
    elif ! grep -Eq -- "$pattern" <<<"$out"; then
        not_ok "$what" "it says: ${out//$'\n'/ / }"
    else
        ok "$what"
    fi
}
silent='(.members[] | select(.name == $n)) |= (.state = "silent" | .heard_ms = 9000)'
lost() { printf '%s' "${silent//\$n/\"$1\"}"; } # member

export COLUMNS=220
# ---- a document instead of a member
expect 'a document that is none' 1 'holds no answer of a member' status --from "$saved/cluster"
expect 'a document of another command' 1 'holds no answer to "events"' why-not --from "$saved/healthy.json"
expect 'no such document' 1 'nothing.json' status --from nothing.json
expect 'orders need a member' 2 'takes no orders' pause --from "$saved/healthy.json"
run status --from - <"$saved/healthy.json"
verdict 'standard input' [ "$code" = 0 ]
shows 'status' 0 'If db1 died now: db[23] takes over in about 0.7 s, 0 bytes at risk' healthy . status

fresh='(.members[] | select(.name | IN("db2", "db3"))).quarantine_ms = 1200'
shows 'status: when one that was started a moment ago may vote' 0 '^ *db2 .* in 1.2 s ' healthy "$fresh" status
shows 'status: a takeover waits for it' 0 'takes over in about 1.3 s' healthy "$fresh" status
shows 'members: the same in words' 0 'started a moment ago, so it refuses takeovers for another 1.2 s' healthy "$fresh" members

# ---- links
shows 'links: all is well' 0 'Every member hears every other' healthy . links
shows 'links: a path by way of others' 0 '^ *db2 +[0-9.]+ +· +✗~ +✗~' cuts . links
shows 'links: in words' 0 'db2 and wit1 do not hear each other, what they say comes by way of others' cuts . links
one_way='(.members[] | select(.name == "db3").hears[] | select(.name == "wit2")).direct = false'
shows 'links: one way only' 0 'one way only: db3 does not hear wit2, save by way of others' healthy "$one_way" links
verdict 'links: and an arrow' grep -Eq '^ *wit2 .*←' <<<"$out"
shows 'links: a lost member is one trouble' 0 '^ *db3 is not heard by db1$' healthy "$(lost db3)" links
verdict 'links: not one with each' [ "$(grep -c 'not hear' <<<"$out")" = 1 ]
from cuts . links --output json
holds 'links as JSON' '(.links | length == 30) and (.troubles | length == 2) and (.links[] | select(.member == "db2" and .hears == "db3") | .state == "relayed" and .rtt_us == null)'
from healthy 'del(.members[].hears)' links
verdict 'links: an older member tells none' grep -q '?' <<<"$out"

# ---- ready
shows 'ready' 0 '^ready · .*0 bytes at risk' healthy . ready
shows 'ready: a silent link degrades' 1 '^degraded' cuts . ready
shows 'ready: a silent witness degrades' 1 'voter wit1 is not heard' healthy "$(lost wit1)" ready
shows 'ready: a standby that does not stream degrades' 1 'db2 is not streaming' healthy '(.members[] | select(.name == "db2")).streaming = false' ready
shows 'ready: a barred candidate degrades' 1 'db2 cannot take over: its pre-flight check bars a promotion' healthy '(.members[] | select(.name == "db2")).preflight = ["parameters"]' ready
shows 'ready: paused is not ready' 2 'NOT READY.*failover is paused' healthy '.paused = true' ready
shows 'ready: no quorum is not ready' 2 'no quorum' healthy "$(lost wit1) | $(lost wit2)" ready
shows 'ready: the sync set is lost' 2 'too few of the standbys' healthy ".sync.members = [\"db2\"] | $(lost db2)" ready
shows 'ready: a primary that does not serve' 2 'does not serve' healthy '(.members[] | select(.name == "db1")).ready = false' ready
shows 'ready: an empty sync set' 2 'only db1 may come back' healthy '.sync = {"k": 0, "members": []}' ready
shows 'ready: async tells what is at risk' 1 'at risk \(async\)' healthy '.durability = "async" | (.members[] | select(.role == "database" and .name != "db1")).lsn = "0/01000000"' ready
from healthy "$(lost wit1)" ready --output json
holds 'ready as JSON' '.state == "degraded" and .exit == 1 and (.findings | index("voter wit1 is not heard")) and (.candidates | length == 2) and ([.candidates[] | select(.takes_over)] | length == 1)'
expect 'ready: nobody to ask' 3 'no member answers' ready --control nobody.sock

# ---- simulate
shows 'simulate: the site of the primary is cut off' 0 'Writes stop for about 0.7 s' healthy . simulate cut fra
verdict 'the primary is fenced' grep -q 'db1 cannot renew its lease' <<<"$out"
shows 'simulate: the site of the standbys is cut off' 0 'Writes go on' healthy . simulate cut ams
verdict 'the set shrinks' grep -q '0 of the 1 that' <<<"$out"
shows 'simulate: under strict commits wait' 0 'Writes stop until' healthy '.durability = "strict"' simulate cut ams
shows 'simulate: the primary is lost' 0 'is promoted as the primary of term 2' healthy . simulate lose db1
shows 'simulate: primary and standby are lost' 0 'Nobody is promoted by itself: too few of the standbys' healthy . simulate lose db1 db2
shows 'simulate: no quorum' 0 '2 of 5 voters vote here: no quorum' healthy . simulate lose db1 wit1 wit2
shows 'simulate: a witness is lost' 0 'Writes go on' healthy . simulate lose wit1
shows 'simulate: with the rule of sites' 0 'rule sites' healthy '.rule = "sites"' simulate cut lux
from healthy . simulate cut fra --output json
holds 'simulate as JSON' '.writes == "interrupted" and .interruption_ms > 0 and (.sides | length == 2) and (.sides[0].quorum | not) and .sides[1].takes_over != null'
expect 'simulate what?' 2 'cut or lose?' simulate --from "$saved/healthy.json"
expect 'simulate cut what?' 2 'nothing is named' simulate cut --from "$saved/healthy.json"
expect 'an unknown site' 6 'Perhaps "fra" was meant' simulate cut fri --from "$saved/healthy.json"
expect 'an ambiguous member' 6 'it could be db1, db2 or db3' simulate lose db --from "$saved/healthy.json"
expect 'an unknown member' 6 'has no member "db9"' simulate lose db9 --from "$saved/healthy.json"

# ---- why-not
from events . why-not
verdict 'why-not counts' grep -q '^4 takeovers were considered' <<<"$out"
verdict 'why-not: who answered what' grep -q 'db3 alive, wit1' <<<"$out"
from events . why-not --output json
holds 'why-not as JSON' '[.considered[].outcome] == ["refused", "refused", "held_back", "considered"]'
holds 'evidence is kept together' '.considered[1].evidence == ["primary db1 of term 1: gone (its lease ended unrenewed)", "wit1 refuses the takeover: its grant to the primary runs; it judges the primary alive"]'
from events '.events = []' why-not --since 30min
verdict 'why-not: nothing' grep -q 'No takeover was considered' <<<"$out"
expect 'why-not: since when?' 2 'no span of time' why-not --since yesterday

# ---- watch, into a pipe
from healthy . watch --count 2 --interval 0.1
verdict 'watch: two snapshots' [ "$(grep -c '^cluster live' <<<"$out")" = 2 ]
verdict 'watch: nothing for terminals in them' [ -z "$(grep -l $'\033' <<<"$out")" ]
from healthy . watch --count 2 --interval 0.1 --output json
holds 'watch: a document a line' '.term == 1'
verdict 'watch: two of them' [ "$(wc -l <<<"$out")" = 2 ]
expect 'watch: no interval' 2 'is no interval' watch --interval 0 --from "$saved/healthy.json"

# ---- narrow terminals
for width in 30 50 80; do
    for command in links ready 'simulate cut fra' status why-not; do
        document=healthy
        [ "$command" != why-not ] || document=events
        # shellcheck disable=SC2086
        longest=$(COLUMNS=$width "$pgmesh" $command --from "$saved/$document.json" | wc -L)
        verdict "$command fits $width columns" [ "$longest" -le "$width" ]
    done
done

# ---- completion
run completion bash
verdict 'completion for bash is a script' bash -n <(printf '%s\n' "$out")
complete_with() { # words..., the last one to be completed
    bash -c '. /dev/stdin; COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1)); _pgmesh; printf "%s\n" "${COMPREPLY[@]}"' _ "$@" <<<"$out"
}
verdict 'it completes a command' [ "$(complete_with pgmesh switch)" = switchover ]
verdict 'it completes an option' [ "$(complete_with pgmesh why-not --si)" = --since ]
verdict 'it completes a word' [ "$(complete_with pgmesh simulate cu)" = cut ]
verdict 'it completes a value' [ "$(complete_with pgmesh status --output j)" = json ]
verdict 'every command is known to it' [ -z "$(comm -13 <(complete_with pgmesh '' | sort) <("$pgmesh" --help | sed -n 's/^  \([a-z-]*\) .*/\1/p' | sort))" ]
run completion members --from "$saved/healthy.json"
verdict 'names of members' [ "$(tr '\n' ' ' <<<"$out")" = 'db1 db2 db3 wit1 wit2 app ' ]
expect 'completion for zsh' 0 '' completion zsh
expect 'another shell' 2 'no completion for "fish"' completion fish

# ---- doctor, as far as it needs no host
settings='{"wal_log_hints": "on", "data_checksums": "off", "wal_keep_size": "0", "max_wal_senders": "16", "max_replication_slots": "16", "synchronous_commit": "on", "restore_command": "", "max_slot_wal_keep_size": "4096", "fsync": "on", "full_page_writes": "on", "wal_level": "replica", "hot_standby": "on", "archive_mode": "on", "recovery_min_apply_delay": "0"}'
doctor() { # what, exit code, pattern, change of {status, postgres}
    jq --argjson settings "$settings" "{status: ., postgres: {settings: \$settings, overrides: []}} | $4" "$saved/healthy.json" >doctor.json
    run doctor --from doctor.json
    if [ "$code" = "$2" ] && grep -Eq -- "$3" <<<"$out"; then ok "doctor: $1"; else not_ok "doctor: $1" "exit code $code: ${out//$'\n'/ / }"; fi
}
doctor 'all is well' 0 '0 warnings, 0 bad' .
doctor 'settings without fault' 0 'nothing in its settings stands against' .
doctor 'a primary that could not be rewound' 1 'neither wal_log_hints nor data checksums' '.postgres.settings.wal_log_hints = "off"'
doctor 'too few senders' 1 'max_wal_senders is 2 for 3 databases' '.postgres.settings.max_wal_senders = "2"'
doctor 'synchronous_commit off for a role' 1 'synchronous_commit is off for role batch' '.postgres.overrides = [{"role": "batch", "database": "", "setting": "synchronous_commit=off"}]'
doctor 'remote_write for a role is its own choice' 0 '0 warnings' '.postgres.overrides = [{"role": "batch", "database": "", "setting": "synchronous_commit=remote_write"}]'
doctor 'fsync off' 1 'fsync is off' '.postgres.settings.fsync = "off"'
doctor 'slots without a limit' 0 'max_slot_wal_keep_size is -1' '.postgres.settings.max_slot_wal_keep_size = "-1"'
doctor 'little WAL is kept' 1 'at most 64 MB of WAL are kept' '.postgres.settings.max_slot_wal_keep_size = "64"'
doctor 'a restore command' 0 'restore_command is set' '.postgres.settings.restore_command = "cp /a/%f %p"'
doctor 'no archive' 0 'archive_mode is off' '.postgres.settings.archive_mode = "off"'
doctor 'a slow vote' 1 'writing a vote took db1 400 ms' '.status.counters.store_us = 400000'
doctor 'a late agent' 1 'db1 was late by 300 ms' '.status.counters.loop_late_us = 300000'
doctor 'foreign keys at the port' 1 '3 connections came with a key' '.status.counters.refused_key = 3'
doctor 'two sites, one with most of the voters' 1 'without site fra there is no quorum' '(.status.members[] | select(.role == "witness")).site = "fra"'
doctor 'databases without their witnesses' 0 'without any witness the databases are a quorum' .
doctor 'two voters' 1 'without db1 alone there is no quorum' '.status.voters = ["db1", "db2"]'
doctor 'one database' 1 'nobody can take over' 'del(.status.members[] | select(.name == "db2" or .name == "db3"))'
doctor 'nobody measures' 0 'no observer' 'del(.status.members[] | select(.role == "observer"))'
run doctor --from doctor.json --output json
holds 'doctor as JSON' '.ok and .bad == 0 and (.checks | all(has("area") and has("level") and has("fact") and has("hint")))'
