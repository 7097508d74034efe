# bash completion for nva-ctl                              -*- shell-script -*-
#
# Copyright (c) 2026 The ovs-nva authors.
# SPDX-License-Identifier: Apache-2.0
#
# What there is to complete comes from nva-ctl itself: "nva-ctl --commands"
# prints "[LOCAL_OPTION] ... ,COMMAND,ARGUMENTS" a line, where each argument
# has a prefix: ! required, ? optional, * repeated, + required and repeated.
# Names come from the database, if it answers within a second.

_nva_ctl_run()
{
    # shellcheck disable=SC2086
    nva-ctl --timeout=1 ${_nva_ctl_db:+"$_nva_ctl_db"} "$@" 2>/dev/null
}

# Prints the names in the database that argument $1 stands for, or its values.
_nva_ctl_values()
{
    case $1 in
    NVE|NEW_NVE) _nva_ctl_run --bare --columns=name list NVE ;;
    VN)          _nva_ctl_run --bare --columns=name list Virtual_Network ;;
    PORT)        _nva_ctl_run --bare --columns=name list Port ;;
    MIGRATION)   _nva_ctl_run --bare --columns=id migrate-list ;;
    PHASE)       echo "requested prepared cutover held draining done cancelled" \
                      "failed" ;;
    EVACUATION)  _nva_ctl_run --bare --columns=id evacuate-list ;;
    NVES)        _nva_ctl_run --bare --columns=name list NVE ;;
    GATEWAY)     _nva_ctl_run --bare --columns=name list Gateway ;;
    VNS)         _nva_ctl_run --bare --columns=name list Virtual_Network ;;
    TABLE)       echo "NVA_Global NVE Virtual_Network Gateway Port Migration" \
                      "Evacuation Connection SSL" ;;
    ENCAP)       echo "geneve vxlan" ;;
    DATAPATH)    echo "netdev system" ;;
    SECURITY)    echo "on off" ;;
    KIND)        echo "hot" ;;
    TRIGGER)     echo "announce now" ;;
    KEY=VALUE)   echo "unknown_unicast=drop unknown_unicast=flood" \
                      "responder_rate= responder_burst= announce_count=" \
                      "multicast=snoop multicast=flood multicast_groups=" \
                      "late=drop late=icmp-unreachable late=forward late_time= ila=" \
                      "gateway_policy=stay gateway_policy=nearest" \
                      "gateway_change=all gateway_change=new connection_idle=" ;;
    esac
}

# Prints the candidates for argument number $2 (from 0) of command $1.
_nva_ctl_arguments()
{
    local arg name value values i=0
    local -a spec

    # Not a plain expansion, because the prefixes are special to the shell.
    read -r -a spec <<< "$(nva-ctl --commands 2>/dev/null | cut -d, -f2,3 \
                           | sed -n "s/^$1,//p")"
    for arg in "${spec[@]}"; do
        name=${arg#[?*+!]}
        case $name in
        [a-z]*=*)
            # An option, which may come anywhere from here on.
            if test "$2" -ge "$i"; then
                values=$(_nva_ctl_values "${name#*=}")
                for value in ${values:-""}; do
                    echo "${name%%=*}=$value"
                done
                test -n "$values" || echo "${name%%=*}="
            fi
            ;;
        *)
            case $arg in
            [*+]*) test "$2" -lt "$i" || _nva_ctl_values "$name" ;;
            *)     test "$2" -ne "$i" || _nva_ctl_values "$name"
                   i=$((i + 1)) ;;
            esac
            ;;
        esac
    done
}

_nva_ctl()
{
    local cur word i command='' n_args=0 _nva_ctl_db='' candidates
    local line=${COMP_LINE:0:COMP_POINT}
    local -a words

    # Bash splits words at "=" and ":", which does not suit "ovsdb=tcp:...".
    read -r -a words <<< "$line"
    case $line in
    *[[:blank:]]) words+=('') ;;
    esac
    cur=${words[${#words[@]}-1]}
    for ((i = 1; i < ${#words[@]} - 1; i++)); do
        word=${words[i]}
        case $word in
        --db=*) _nva_ctl_db=$word ;;
        --)     command='' n_args=0 ;;
        -*)     ;;
        *)      if test -z "$command"; then
                    command=$word
                else
                    n_args=$((n_args + 1))
                fi ;;
        esac
    done

    if test -n "$command"; then
        candidates=$(_nva_ctl_arguments "$command" "$n_args")
    else
        case $cur in
        --wait=*)
            candidates="--wait=none --wait=nve" ;;
        --format=*)
            candidates="--format=table --format=json --format=csv" ;;
        -*)
            candidates=$(nva-ctl --options 2>/dev/null \
                         | sed -n '/^--/s/=ARG$/=/p;/^--[^=]*$/p') ;;
        *)
            candidates=$(nva-ctl --commands 2>/dev/null | cut -d, -f2) ;;
        esac
    fi

    # Readline replaces only what follows the last word break.
    local prefix=${cur%"${cur##*[=:]}"}
    COMPREPLY=()
    read -r -d '' -a words <<< "$candidates"
    for word in "${words[@]}"; do
        case $word in
        "$cur"*) COMPREPLY+=("${word#"$prefix"}") ;;
        esac
    done
    case ${#COMPREPLY[@]}:${COMPREPLY[0]-} in
    1:*=) compopt -o nospace 2>/dev/null ;;
    esac
}

complete -F _nva_ctl nva-ctl
