/** Every command that talks to a mesh, where there is none, where the context is wrong, and where a right is missing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Command } from 'commander';
import { createProgram } from '../../../src/cli/program.ts';
import { FakeKubeApi } from '../../helpers/fake-kube-api.ts';
import { type AmbitResult, runAmbit } from '../../helpers/run-ambit.ts';

/** What each command has to be given. */
const ARGUMENTS: Readonly<Record<string, readonly string[]>> = {
  analyze: [],
  authz: [],
  'bug-report': ['-f', '/nonexistent/report.tar.gz'],
  check: [],
  'check path': ['web.shop', 'cart.shop'],
  dashboard: [],
  dump: ['gate'],
  edges: [],
  explain: ['web.shop', 'cart.shop'],
  install: [],
  'log-level': ['gate'],
  profile: ['gate', '-f', '/nonexistent/profile'],
  status: [],
  strict: ['shop', '--dry-run'],
  tap: [],
  top: ['--once'],
  uninstall: [],
  upgrade: [],
  'waypoint apply': ['-n', 'shop'],
  'waypoint delete': ['-n', 'shop', '--all'],
  'waypoint list': [],
  'waypoint status': ['-n', 'shop'],
};
/** These may mean a mesh of `ambit up` as well. */
const EITHER =
  /^(authz|bug-report|check|check path|dashboard|dump|edges|explain|log-level|profile|status|strict|tap|top|waypoint list|waypoint status)$/;
const TOGETHER = 6;

/** Commands with `--kubeconfig`, by their words. */
function* clusterCommands(parent: Command, words: readonly string[] = []): Iterable<string> {
  for (const command of parent.commands) {
    const path = [...words, command.name()];
    // The control plane is a program of its own, and waits for what it needs.
    const isPersons = command.name() !== 'control';
    if (isPersons && command.options.some(({ long }) => long === '--context')) yield path.join(' ');
    yield* clusterCommands(command, path);
  }
}

const COMMANDS = [...clusterCommands(createProgram({}))].sort();

/** Runs each of them, some at a time. */
async function each(
  run: (args: readonly string[]) => Promise<AmbitResult>,
  commands: readonly string[] = COMMANDS,
): Promise<ReadonlyMap<string, AmbitResult>> {
  const results = new Map<string, AmbitResult>();
  const waiting = [...commands];
  const work = async () => {
    for (let name = waiting.shift(); name !== undefined; name = waiting.shift()) {
      results.set(name, await run([...name.split(' '), ...(ARGUMENTS[name] ?? [])]));
    }
  };
  await Promise.all(Array.from({ length: TOGETHER }, work));
  return results;
}

/** Status 1, one sentence for people that matches, and nothing of the program's inside. */
function refuses(name: string, { code, stdout, stderr }: AmbitResult, message: RegExp): void {
  const said = `${stdout}\n${stderr}`;
  assert.equal(code, 1, `${name}: ${said}`);
  assert.match(said, message, name);
  assert.doesNotMatch(said, /^\s+at |node:internal|\.ts:\d+|TypeError|ZodError|\[object|undefined/m, name);
  assert.ok(stderr.trim().split('\n').length <= 2, `${name}: ${stderr}`);
}

describe('commands that talk to a mesh', () => {
  let api: FakeKubeApi;
  before(async () => {
    api = await FakeKubeApi.start();
    api.refuse = () => 403;
  });
  after(() => api.stop());

  it('are all in this test', () => {
    assert.deepEqual(COMMANDS, Object.keys(ARGUMENTS).sort());
  });

  it('say how to come to a mesh when there is none', async () => {
    for (const [name, result] of await each((args) => runAmbit(args))) {
      refuses(name, result, /ambit: .*no cluster is configured: give --kubeconfig FILE, set KUBECONFIG/);
      if (EITHER.test(name)) assert.match(result.stderr, /no mesh of ambit up is up \(start one with 'ambit up DIR'\)/);
    }
  });

  it('of manifests name the option for a folder', async () => {
    refuses('analyze', await runAmbit(['analyze']), /no cluster is configured: .*; -f FOLDER is for manifests/);
  });

  it('name the contexts that there are when the one that is asked for is not', async () => {
    for (const [name, result] of await each((args) => runAmbit([...args, '--context', 'other'], api.config))) {
      refuses(name, result, /ambit: kubeconfig \S+: it has no context "other"; it has fake\n/);
    }
  });

  it('say which right is missing, and what to do about it', async () => {
    for (const [name, result] of await each((args) => runAmbit(args, api.config))) {
      refuses(
        name,
        result,
        /the API server refused (GET|PATCH) \S+ with 403: .*ask for this right, or take another context/,
      );
    }
  });

  it('say so when the API server is gone', async () => {
    const gone = await FakeKubeApi.start();
    await gone.stop();
    for (const [name, result] of await each((args) => runAmbit(args, gone.config))) {
      refuses(
        name,
        result,
        /API server \S+: connect ECONNREFUSED \S+: is the cluster up, and is the context the right one/,
      );
    }
  });

  it('say which meshes of ambit up there are when the one that is asked for is not', async () => {
    const either = COMMANDS.filter((one) => EITHER.test(one));
    for (const [name, result] of await each((args) => runAmbit([...args, '--name', 'nowhere']), either)) {
      refuses(name, result, /ambit: no mesh called nowhere is up; start one with 'ambit up DIR'/);
    }
  });

  it('end with status 2 when their words are wrong, and name the help that has them', async () => {
    const wrong: Readonly<Record<string, RegExp>> = {
      'explain web': /missing required argument 'to'\n\(ambit explain --help says/,
      'check path web': /missing required argument 'destination'\n\(ambit check path --help says/,
      'tap --status abc': /a status such as 404, or 5xx is needed\.\n\(ambit tap --help says/,
      'help foo': /there is no command 'foo'\n\(ambit --help says/,
      'help waypoint foo': /there is no command 'waypoint foo'\n/,
      'check --pre path a b': /--pre is about a cluster before an installation/,
      statsu: /Did you mean status\?\)\n\(ambit --help says/,
    };
    for (const [words, message] of Object.entries(wrong)) {
      const { code, stderr } = await runAmbit(words.split(' '));
      assert.equal(code, 2, words);
      assert.match(stderr, message);
    }
    assert.equal((await runAmbit(['explain', '--help'])).code, 0);
    const help = await runAmbit(['help', 'waypoint', 'list']);
    assert.equal(help.code, 0);
    assert.match(help.stdout, /^Usage: ambit waypoint list /);
  });

  it('let nothing that they quote steer the terminal', async () => {
    const { stderr } = await runAmbit(['status', '--context', 'no \u001b[31msuch'], api.config);
    assert.ok(stderr.includes('no context "no \\x1b[31msuch"'), stderr);
  });

  it('of ambit up alone say how to start one', async () => {
    refuses(
      'exec',
      await runAmbit(['exec', 'web', '--', 'true']),
      /ambit: no mesh called default is up; start one with/,
    );
    refuses('down', await runAmbit(['down']), /ambit: no mesh called default is up; start one with/);
  });
});
