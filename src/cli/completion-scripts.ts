/** Scripts by which shells complete the words of `ambit`: all that they need is in them. */
import type { Command } from 'commander';

export type Shell = 'bash' | 'zsh' | 'fish';

interface Completed {
  /** `waypoint apply`; empty for `ambit` itself. */
  readonly path: string;
  readonly words: readonly string[];
}

/** For `source <(ambit completion bash)` and the like. */
export function completionScript(program: Command, shell: Shell): string {
  const commands = completedCommands(program, '');
  if (shell === 'fish') return fishScript(commands);
  const zsh = shell === 'zsh' ? 'autoload -U +X bashcompinit && bashcompinit\n' : '';
  return `${zsh}${bashScript(commands)}`;
}

function completedCommands(command: Command, path: string): Completed[] {
  const visible = command.createHelp().visibleCommands(command);
  const flags = command.options.flatMap(({ hidden, long }) => (hidden || long === undefined ? [] : [long]));
  const own = { path, words: [...visible.map((one) => one.name()), ...flags, '--help'] };
  const inner = visible.filter((one) => one.name() !== 'help');
  return [own, ...inner.flatMap((one) => completedCommands(one, `${path} ${one.name()}`.trim()))];
}

/** The longest command that the words before the cursor begin with decides. */
function bashScript(commands: readonly Completed[]): string {
  const cases = commands.map(({ path, words }) => `    '${path}') words='${words.join(' ')}' ;;`);
  const names = commands.map(({ path }) => `'${path}'`).join('|');
  return `_ambit() {
  local path='' next word words=''
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    next="\${path:+$path }$word"
    case "$next" in
      ${names}) path="$next" ;;
      *) break ;;
    esac
  done
  case "$path" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _ambit ambit
`;
}

function fishScript(commands: readonly Completed[]): string {
  const lines = commands.map(({ path, words }) => {
    const seen = path.split(' ').filter((word) => word !== '');
    const conditions = seen.map((word) => `__fish_seen_subcommand_from ${word}`);
    const condition = conditions.length === 0 ? '__fish_use_subcommand' : conditions.join('; and ');
    return `complete -c ambit -n '${condition}' -a '${words.join(' ')}'`;
  });
  return `${lines.join('\n')}\n`;
}
