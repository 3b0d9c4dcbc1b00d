// docs/commands.md: the commands that look at a mesh, as their own help shows them.
import { createProgram } from '../../src/cli/program.ts';

/** In the order of the page. */
const LOOKING = [
  'check',
  'check path',
  'status',
  'top',
  'tap',
  'edges',
  'explain',
  'analyze',
  'authz',
  'strict',
  'dump',
  'log-level',
  'profile',
  'bug-report',
  'completion',
];

/** Description and what the help says after the options. */
export function commandExamples() {
  const program = createProgram({});
  return LOOKING.map((name) => {
    const find = (parent, word) => parent?.commands.find((one) => one.name() === word);
    const command = name.split(' ').reduce(find, program);
    if (command === undefined) throw new Error(`scripts/docs/commands.mjs lists ${name}, which is no command`);
    const text = afterHelp(command);
    const [said, examples] = text.split(/^Examples:$/m);
    const shown = examples
      .replace(/^ {2}/gm, '')
      .replace(/ {3,}(?=\S)/g, (gap) => `${gap}# `)
      .trim();
    const description = command.description();
    const sentence = `${description.charAt(0).toUpperCase()}${description.slice(1)}.`;
    const parts = [`## ambit ${name}`, sentence, said.trim(), `\`\`\`sh\n${shown}\n\`\`\``];
    return parts.filter((part) => part !== '').join('\n\n');
  }).join('\n\n');
}

function afterHelp(command) {
  let text = '';
  command.configureOutput({
    writeOut: (part) => {
      text += part;
    },
  });
  command.outputHelp();
  const rest = text.slice(text.indexOf('display help for command') + 'display help for command'.length);
  // Commands of a command have parts of their own.
  return rest.replace(/^Commands:\n(?: {2}.*\n)+/m, '');
}
