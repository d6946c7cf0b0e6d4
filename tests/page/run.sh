#!/usr/bin/env bash
# The page in a real browser, in front of a real cluster: `make page-test`. Not a part of `make check`: a browser is heavy.
#
#   tests/page/run.sh            checks; screenshots stay in build/default/page/
#   tests/page/run.sh --update   and puts the first of them into docs/page.png
. "$(dirname "$0")/../live/lib.sh"
browser=$(command -v chromium-headless-shell || command -v chromium) ||
    { echo 'page: ERROR:  there is no Chromium'; echo 'HINT:  Run packaging/install-deps.sh page'; exit 1; }
shots=$LIVE_BIN/page
mkdir -p "$shots"
live_begin page
three_databases
for name in "${MEMBERS[@]}"; do EXTRA[$name]="http_listen=${ADDRESS[$name]}:8008"; done
live_cluster
for name in db1 db2 wit1; do http_start "$name"; done
url() { printf 'http://%s:8008/' "${ADDRESS[$1]}"; }
answers() { [ "$(in_net app curl -s -m 5 -o /dev/null -w '%{http_code}' "$(url "$1")status")" = 200 ]; }
must 'pgmesh-http answers' await 10 answers db1
must 'and on the others' await 10 eval 'answers db2 && answers wit1'

# Chromium, once, in the application's namespace, with a profile of its own: what to do, then options.
browse() {
    local profile=$work/profile.$RANDOM
    HOME=$work in_net app timeout 60 "$browser" --headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking \
        --disable-component-update --disable-sync --hide-scrollbars --enable-logging=stderr --user-data-dir="$profile" \
        --virtual-time-budget=4000 "$@" 2>"$work/log/browser.txt"
}
holds() { # what, file, words that must be there
    local word
    for word in "${@:3}"; do grep -qF -- "$word" "$2" || { not_ok "$1: \"$word\" is missing"; return; }; done
    ok "$1"
}
must 'a switchover, so that there is a past' pgmesh_as app switchover --to db2
await 60 whole 2 || :
browse --dump-dom "$(url db1)" >"$work/log/dom.html"
holds 'the page was filled' "$work/log/dom.html" 'data-read="yes"' '>live</h1>' 'as db1 sees it' db1 db2 db3 wit1 wit2 fra ams lux
holds 'the primary, the sync set, the votes' "$work/log/dom.html" 'primary</span><b>db2</b>' '>sync</span>' '5 of 5' 'automatic'
holds 'past and events' "$work/log/dom.html" 'switchover' '+decided' '+ready'
expect 'who hears whom: nobody is silent' [ "$(grep -o '>✕<' "$work/log/dom.html" | wc -l)" = 0 ]
expect 'the browser has nothing to complain of' not grep -E 'CONSOLE|Refused to' "$work/log/browser.txt"
browse --screenshot="$shots/page.png" --window-size=1100,1500 "$(url db2)" >/dev/null
browse --screenshot="$shots/page-dark.png" --window-size=1100,1500 --blink-settings=preferredColorScheme=0 "$(url db2)" >/dev/null
browse --screenshot="$shots/page-phone.png" --window-size=390,1800 "$(url db2)" >/dev/null
for shot in page page-dark page-phone; do expect "a screenshot: $shot.png" [ -s "$shots/$shot.png" ]; done

crash db3
gone() { [ "$(field wit1 '.members[] | select(.name == "db3") | .state')" = silent ]; }
must 'a standby is lost' await 10 gone
browse --dump-dom "$(url wit1)" >"$work/log/dom.html"
holds 'the page says so' "$work/log/dom.html" 'silent' '>✕<'
if [ "${1:-}" = --update ]; then cp "$shots/page.png" "$LIVE_ROOT/docs/page.png"; fi
exit "$failed"
