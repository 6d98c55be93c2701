#compdef stagehost
# zsh completion of stagehost
_stagehost() {
  local -a commands
  commands=(
    'run:Run a pipeline, or go on with its unfinished job'
    'resume:Go on with a paused, interrupted or failed job'
    'pause:Let a job finish what it has in hand, and wait'
    'stop:End a job for good'
    'restart:Restart a stage while its job runs'
    'jobs:List the jobs'
    'status:Show how a job is doing'
    'watch:Show a job as it runs'
    'checkpoints:Show what each stage has committed'
    'events:Show what happened in a job'
    'logs:Show what the plugin of a stage wrote'
    'metrics:Print the metrics of a job'
    'report:Print the report of a job'
    'failures:List the dead letters of a job'
    'retry:Try dead letters again'
    'discard:Give dead letters up for good'
    'repro:Run one dead letter again, alone, to find out why'
    'verify:Check every log of a job'
    'remove:Delete a job and all it has stored'
    'validate:Check a pipeline file'
    'config:Show every value of a pipeline and where it came from'
    'plugins:List the plugins that a name can stand for'
    'schema:Print a JSON Schema of pipeline files, for editors'
    'completions:Print completions for a shell'
    'man:Print the manual page'
  )
  if (( CURRENT == 2 )); then
    _describe command commands
    return
  fi
  local command="${words[2]}"
  shift words
  (( CURRENT-- ))
  case "$command" in
    run)
      _arguments -s \
        '--job[Name of the job (default\: the name of the pipeline)]:ID: ' \
        '-j[Name of the job (default\: the name of the pipeline)]:ID: ' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '*--set[Set one value of the pipeline\: stages.extract.workers=4]:KEY=VALUE: ' \
        '*--plugin-path[Look for plugins here first; several folders with colons (STAGEHOST_PLUGIN_PATH)]:DIRS:_files -/' \
        '--fresh[Start over\: throw the job'\''s progress away]' \
        '--skip[Skip the first N records]:N: ' \
        '--limit[End after N records]:N: ' \
        '--time-limit[Drain and exit 75 after this time\: 55m]:TIME: ' \
        '--keep[Keep log segments that nobody needs any more]' \
        '--metrics[Write metrics there, every two seconds]:FILE:_files' \
        '--quiet[Print errors only]' \
        '-q[Print errors only]' \
        '--verbose[Print every event]' \
        '-v[Print every event]' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:PIPELINE:_files'
      ;;
    resume)
      _arguments -s \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '*--set[Set one value of the pipeline\: stages.extract.workers=4]:KEY=VALUE: ' \
        '--time-limit[Drain and exit 75 after this time\: 55m]:TIME: ' \
        '--quiet[Print errors only]' \
        '-q[Print errors only]' \
        '--verbose[Print every event]' \
        '-v[Print every event]' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    pause)
      _arguments -s \
        '--release[Let the workers leave, too]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    stop)
      _arguments -s \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    restart)
      _arguments -s \
        '--plugin[Use this build of the plugin]:FILE:_files' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}' \
        '2:STAGE: '
      ;;
    jobs)
      _arguments -s \
        '--json[Print JSON for a program to read]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]'
      ;;
    status)
      _arguments -s \
        '--json[Print JSON for a program to read]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    watch)
      _arguments -s \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    checkpoints)
      _arguments -s \
        '--json[Print JSON for a program to read]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}' \
        '2:STAGE: '
      ;;
    events)
      _arguments -s \
        '--json[Print JSON for a program to read]' \
        '--follow[Go on as more arrives]' \
        '-f[Go on as more arrives]' \
        '--stage[Only events of this stage]:STAGE: ' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    logs)
      _arguments -s \
        '--follow[Go on as more arrives]' \
        '-f[Go on as more arrives]' \
        '--lines[The last N lines]:N: ' \
        '-n[The last N lines]:N: ' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}' \
        '2:STAGE: '
      ;;
    metrics)
      _arguments -s \
        '--openmetrics[In OpenMetrics text]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    report)
      _arguments -s \
        '--json[Print JSON for a program to read]' \
        '--html[Write it as a page instead]:FILE:_files' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    failures)
      _arguments -s \
        '--stage[Only those of this stage]:STAGE: ' \
        '--category[Only those of this category\: permanent, crash, timeout]:NAME: ' \
        '--key[Only those of records with this key]:KEY: ' \
        '--crashed-by[Only those that this build of the plugin failed on]:DIGEST: ' \
        '--summary[Group them by category and message]' \
        '--export[Write them as JSON lines to a file]:FILE:_files' \
        '--limit[At most N of them]:N: ' \
        '--json[Print JSON for a program to read]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    retry)
      _arguments -s \
        '--stage[Only those of this stage]:STAGE: ' \
        '--category[Only those of this category\: permanent, crash, timeout]:NAME: ' \
        '--key[Only those of records with this key]:KEY: ' \
        '--crashed-by[Only those that this build of the plugin failed on]:DIGEST: ' \
        '--limit[At most N of them]:N: ' \
        '--plugin[Use this build of the plugin of --stage from now on]:FILE:_files' \
        '--dry-run[Only say which]' \
        '*--set[Set one value of the pipeline\: stages.extract.workers=4]:KEY=VALUE: ' \
        '--time-limit[Drain and exit 75 after this time\: 55m]:TIME: ' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--quiet[Print errors only]' \
        '-q[Print errors only]' \
        '--verbose[Print every event]' \
        '-v[Print every event]' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    discard)
      _arguments -s \
        '--stage[Only those of this stage]:STAGE: ' \
        '--category[Only those of this category\: permanent, crash, timeout]:NAME: ' \
        '--key[Only those of records with this key]:KEY: ' \
        '--crashed-by[Only those that this build of the plugin failed on]:DIGEST: ' \
        '--limit[At most N of them]:N: ' \
        '--dry-run[Only say which]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    repro)
      _arguments -s \
        '--gdb[Under gdb]' \
        '--valgrind[Under valgrind]' \
        '--plugin[Use this build of the plugin]:FILE:_files' \
        '--export[Write a folder that runs by itself]:DIR:_files -/' \
        '--sink[Also a sink\: what it does to the outside is done again]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}' \
        '2:LETTER: '
      ;;
    verify)
      _arguments -s \
        '--repair[Keep every whole entry of a damaged log]' \
        '--json[Print JSON for a program to read]' \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    remove)
      _arguments -s \
        '--state-dir[Where jobs are kept (STAGEHOST_STATE_DIR)]:DIR:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:JOB:_files -/ -W ${STAGEHOST_STATE_DIR:-.stagehost}'
      ;;
    validate)
      _arguments -s \
        '*--set[Set one value of the pipeline\: stages.extract.workers=4]:KEY=VALUE: ' \
        '*--plugin-path[Look for plugins here first; several folders with colons (STAGEHOST_PLUGIN_PATH)]:DIRS:_files -/' \
        '--json[Print JSON for a program to read]' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:PIPELINE:_files'
      ;;
    config)
      _arguments -s \
        '*--set[Set one value of the pipeline\: stages.extract.workers=4]:KEY=VALUE: ' \
        '--json[Print JSON for a program to read]' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:PIPELINE:_files'
      ;;
    plugins)
      _arguments -s \
        '*--plugin-path[Look for plugins here first; several folders with colons (STAGEHOST_PLUGIN_PATH)]:DIRS:_files -/' \
        '--json[Print JSON for a program to read]' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:command:(show)' \
        '2:PLUGIN:_files'
      ;;
    schema)
      _arguments -s \
        '*--plugin-path[Look for plugins here first; several folders with colons (STAGEHOST_PLUGIN_PATH)]:DIRS:_files -/' \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]'
      ;;
    completions)
      _arguments -s \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]' \
        '1:SHELL:(bash zsh fish)'
      ;;
    man)
      _arguments -s \
        '--help[Print help\: -h in short, --help in full]' \
        '-h[Print help\: -h in short, --help in full]'
      ;;
  esac
}
if [ "$funcstack[1]" = "_stagehost" ]; then _stagehost "$@"; else compdef _stagehost stagehost; fi
