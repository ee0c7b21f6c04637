/** `understudy completion SHELL`: a script for the shell, made from the declared verbs and their options. */
import { Argument, type Command } from 'commander';
import { exitCodes } from '../errors/exit-codes.ts';
import type { CommonOptions, Perform } from './call.ts';

const shells = ['bash', 'zsh', 'fish'] as const;

export function declareCompletion(program: Command, perform: Perform): void {
  program
    .command('completion')
    .summary('a script that completes verbs and options')
    .description('Prints a script for the shell; it asks nothing of the cluster.')
    .addArgument(new Argument('<shell>').choices(shells))
    .addHelpText(
      'after',
      '\nExamples:\n  eval "$(understudy completion bash)"\n  understudy completion fish | source\n',
    )
    .action((shell: string, _, command: Command) =>
      perform(command.optsWithGlobals<CommonOptions>(), async ({ terminal }) => {
        terminal.print(completionScript(program, shell));
        return exitCodes.done;
      }),
    );
}

interface Entry {
  /** The verbs that lead here: `''`, `status`, `stage up`. */
  readonly path: string;
  readonly verbs: readonly { readonly name: string; readonly summary: string }[];
  readonly options: readonly string[];
  /** Those that take a value. */
  readonly valued: readonly string[];
}

export function completionScript(program: Command, shell: string): string {
  const entries = entriesOf(program, '');
  switch (shell) {
    case 'fish':
      return fishScript(entries);
    case 'zsh':
      return `autoload -U +X bashcompinit && bashcompinit\n${bashScript(entries)}`;
    default:
      return bashScript(entries);
  }
}

function entriesOf(command: Command, path: string): readonly Entry[] {
  const below = command.createHelp().visibleCommands(command);
  const verbs = below.map((sub) => ({ name: sub.name(), summary: sub.summary() || sub.description() }));
  const options = [...command.options.map((option) => option.long ?? option.short ?? ''), '--help'];
  const valued = command.options
    .filter((option) => option.required)
    .flatMap((option) => [option.long, option.short].flatMap((name) => name ?? []));
  return [
    { path, verbs, options, valued },
    ...below.flatMap((sub) => entriesOf(sub, path === '' ? sub.name() : `${path} ${sub.name()}`)),
  ];
}

/** Files where nothing of ours fits: `plan`, `apply`, and after `--config`. */
function bashScript(entries: readonly Entry[]): string {
  const valued = [...new Set(entries.flatMap((entry) => entry.valued))];
  const cases = entries.map(
    ({ path, verbs, options }) =>
      `    '${path}') words='${[...verbs.map((verb) => verb.name), ...options].join(' ')}' ;;`,
  );
  // What takes a value is skipped together with it, so that the value is not taken for a verb.
  return `_understudy() {
  local path='' word words skip=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ -n "$skip" ]; then skip=''; continue; fi
    case "$word" in
      ${valued.join('|')}) skip=1 ;;
      -*) ;;
      *) path="\${path:+$path }$word" ;;
    esac
  done
  [ -n "$skip" ] && return
  case "$path" in
${cases.join('\n')}
    *) words='' ;;
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _understudy understudy`;
}

function fishScript(entries: readonly Entry[]): string {
  const quoted = (text: string): string => `'${text.replace(/[\\']/g, '\\$&')}'`;
  const lines = entries.flatMap(({ path, verbs, options }) => {
    const names = verbs.map((verb) => verb.name).join(' ');
    const reached = path === '' ? [] : path.split(' ').map((verb) => `__fish_seen_subcommand_from ${verb}`);
    const open = names === '' ? [] : [`not __fish_seen_subcommand_from ${names}`];
    const condition = [...reached, ...open].join('; and ');
    const base = `complete -c understudy${condition === '' ? '' : ` -n ${quoted(condition)}`}`;
    return [
      ...verbs.map(({ name, summary }) => `${base} -f -a ${name} -d ${quoted(summary)}`),
      ...options.filter((option) => option.startsWith('--')).map((option) => `${base} -l ${option.slice(2)}`),
    ];
  });
  return lines.join('\n');
}
