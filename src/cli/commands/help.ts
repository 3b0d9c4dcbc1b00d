/** `ambit help COMMAND`: the same as `ambit COMMAND --help`, also of commands of commands. */
import type { Command } from 'commander';

/** Adds the command, in place of the one that the parser has, which shows something else for what it does not know. */
export function addHelpCommand(program: Command): void {
  program
    .helpCommand(false)
    .command('help [command...]')
    .description('show what a command takes')
    .action((words: string[]) => {
      let command = program;
      for (const [index, word] of words.entries()) {
        const next = command.commands.find((one) => one.name() === word || one.aliases().includes(word));
        if (next === undefined)
          return program.error(`error: there is no command '${words.slice(0, index + 1).join(' ')}'`);
        command = next;
      }
      command.help();
    });
}
