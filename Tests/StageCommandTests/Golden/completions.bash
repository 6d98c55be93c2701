# bash completion of stagehost
_stagehost() {
  local current="${COMP_WORDS[COMP_CWORD]}" previous="${COMP_WORDS[COMP_CWORD-1]}"
  COMPREPLY=()
  if [[ $COMP_CWORD -eq 1 ]]; then
    COMPREPLY=($(compgen -W "run resume pause stop restart jobs status watch checkpoints events logs metrics report failures retry discard repro verify remove validate config plugins schema completions man --help --version" -- "$current"))
    return
  fi
  case "${COMP_WORDS[1]}" in
    run)
      case "$previous" in
        -j|--job) COMPREPLY=(); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
        --set) COMPREPLY=(); return ;;
        --plugin-path) COMPREPLY=($(compgen -d -- "$current")); return ;;
        --skip) COMPREPLY=(); return ;;
        --limit) COMPREPLY=(); return ;;
        --time-limit) COMPREPLY=(); return ;;
        --metrics) COMPREPLY=($(compgen -f -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "-j --job --state-dir --set --plugin-path --fresh --skip --limit --time-limit --keep --metrics -q --quiet -v --verbose -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(compgen -f -- "$current"))
      ;;
    resume)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
        --set) COMPREPLY=(); return ;;
        --time-limit) COMPREPLY=(); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--state-dir --set --time-limit -q --quiet -v --verbose -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    pause)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--release --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    stop)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    restart)
      case "$previous" in
        --plugin) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--plugin --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    jobs)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--json --state-dir -h --help" -- "$current")); return
      fi
      ;;
    status)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--json --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    watch)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    checkpoints)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--json --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    events)
      case "$previous" in
        --stage) COMPREPLY=(); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--json -f --follow --stage --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    logs)
      case "$previous" in
        -n|--lines) COMPREPLY=(); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "-f --follow -n --lines --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    metrics)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--openmetrics --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    report)
      case "$previous" in
        --html) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--json --html --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    failures)
      case "$previous" in
        --stage) COMPREPLY=(); return ;;
        --category) COMPREPLY=(); return ;;
        --key) COMPREPLY=(); return ;;
        --crashed-by) COMPREPLY=(); return ;;
        --export) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --limit) COMPREPLY=(); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--stage --category --key --crashed-by --summary --export --limit --json --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    retry)
      case "$previous" in
        --stage) COMPREPLY=(); return ;;
        --category) COMPREPLY=(); return ;;
        --key) COMPREPLY=(); return ;;
        --crashed-by) COMPREPLY=(); return ;;
        --limit) COMPREPLY=(); return ;;
        --plugin) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --set) COMPREPLY=(); return ;;
        --time-limit) COMPREPLY=(); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--stage --category --key --crashed-by --limit --plugin --dry-run --set --time-limit --state-dir -q --quiet -v --verbose -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    discard)
      case "$previous" in
        --stage) COMPREPLY=(); return ;;
        --category) COMPREPLY=(); return ;;
        --key) COMPREPLY=(); return ;;
        --crashed-by) COMPREPLY=(); return ;;
        --limit) COMPREPLY=(); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--stage --category --key --crashed-by --limit --dry-run --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    repro)
      case "$previous" in
        --plugin) COMPREPLY=($(compgen -f -- "$current")); return ;;
        --export) COMPREPLY=($(compgen -d -- "$current")); return ;;
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--gdb --valgrind --plugin --export --sink --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    verify)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--repair --json --state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    remove)
      case "$previous" in
        --state-dir) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--state-dir -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(cd "${STAGEHOST_STATE_DIR:-.stagehost}" 2>/dev/null && compgen -d -- "$current"))
      ;;
    validate)
      case "$previous" in
        --set) COMPREPLY=(); return ;;
        --plugin-path) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--set --plugin-path --json -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(compgen -f -- "$current"))
      ;;
    config)
      case "$previous" in
        --set) COMPREPLY=(); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--set --json -h --help" -- "$current")); return
      fi
      COMPREPLY+=($(compgen -f -- "$current"))
      ;;
    plugins)
      case "$previous" in
        --plugin-path) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--plugin-path --json -h --help" -- "$current")); return
      fi
      COMPREPLY=($(compgen -W "show" -- "$current"))
      COMPREPLY+=($(compgen -f -- "$current"))
      ;;
    schema)
      case "$previous" in
        --plugin-path) COMPREPLY=($(compgen -d -- "$current")); return ;;
      esac
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "--plugin-path -h --help" -- "$current")); return
      fi
      ;;
    completions)
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "-h --help" -- "$current")); return
      fi
      COMPREPLY=($(compgen -W "bash zsh fish" -- "$current"))
      ;;
    man)
      if [[ "$current" == -* ]]; then
        COMPREPLY=($(compgen -W "-h --help" -- "$current")); return
      fi
      ;;
  esac
}
complete -o filenames -F _stagehost stagehost
