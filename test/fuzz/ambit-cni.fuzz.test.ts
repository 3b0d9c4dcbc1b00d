import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import fc from 'fast-check';
import { buildCniWithSanitizers, runCni } from '../helpers/cni-plugin.ts';

const FUZZ_MS = Number(process.env['FUZZ_MS'] ?? 2000);
/** An excluded namespace: the whole configuration is read, and no agent is waited for. */
const ENVIRONMENT = {
  CNI_COMMAND: 'ADD',
  CNI_NETNS: '/run/netns/a',
  CNI_ARGS: 'K8S_POD_NAMESPACE=kube-system;K8S_POD_NAME=a',
};
const SEED = Buffer.from(
  '{"cniVersion":"1.0.0","exclude_namespaces":["a\\u00e9\\ud83d\\ude00","kube-system"],"n":[-0.5e+3,{"x":{}},true,null],' +
    '"prevResult":{"ips":[{"address":"10.0.0.1/24","interface":0,"gateway":"10.0.0.2"},{"address":"fd00::1/64"}]}}',
);
let folder = '';
let binary = '';

before(() => {
  folder = mkdtempSync(join(tmpdir(), 'ambit-cni-fuzz-'));
  binary = join(folder, 'ambit-cni');
  buildCniWithSanitizers(binary);
});
after(() => rmSync(folder, { recursive: true }));

async function check(input: Buffer, environment: Record<string, string>): Promise<void> {
  const { status, signal, stdout, stderr } = await runCni(environment, input, binary);
  assert.equal(signal, null, stderr);
  assert.doesNotMatch(stderr, /ERROR: AddressSanitizer|runtime error/);
  assert.ok(status === 0 || status === 1, `status ${status}`);
  if (status === 1) {
    const { code, msg } = JSON.parse(stdout.toString()) as { code: number; msg: string };
    assert.ok(code > 0 && msg !== '');
    return;
  }
  // What is accepted and passed on is JSON to others too, unless it holds bytes that are no UTF-8.
  if (input.equals(Buffer.from(input.toString()))) JSON.parse(stdout.toString());
}

const mutated = fc
  .array(
    fc.record({
      at: fc.nat(SEED.length - 1),
      cut: fc.nat(4),
      insert: fc.oneof(fc.constantFrom('"', '\\', '{', '}', '[', ']', ',', ':', '\\u', 'e', '-', '\0'), fc.string()),
    }),
    { maxLength: 4 },
  )
  .map((edits) =>
    edits.reduce(
      (text, { at, cut, insert }) =>
        Buffer.concat([text.subarray(0, at), Buffer.from(insert), text.subarray(at + cut)]),
      SEED,
    ),
  );
const anyBytes = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const anyJson = fc.json().map((text) => Buffer.from(`{"cniVersion":"1.1.0","x":${text},"prevResult":{"y":${text}}}`));

it('whatever it reads, the plugin answers with a result or an error object and never crashes', async () => {
  await fc.assert(
    fc.asyncProperty(fc.oneof(mutated, anyBytes, anyJson), (input) => check(input, ENVIRONMENT)),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});

it('whatever JSON it accepts, another reader accepts, and the other way round', async () => {
  const text = fc.oneof(fc.json(), fc.string(), mutated.map(String));
  await fc.assert(
    fc.asyncProperty(text, async (body) => {
      const input = `{"cniVersion":"1.0.0","prevResult":{"x":${body}}}`;
      let valid = true;
      try {
        JSON.parse(input);
      } catch {
        // Not JSON: the plugin has to say so as well.
        valid = false;
      }
      const { status, stdout } = await runCni(ENVIRONMENT, input, binary);
      const closed = valid && status === 1 && /cniVersion|prevResult/.test(stdout.toString());
      assert.ok(closed || valid === (status === 0), `${JSON.stringify(input)}: ${stdout}`);
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});

it('whatever CNI_ARGS say, the plugin never crashes', async () => {
  const args = fc.array(
    fc.tuple(fc.constantFrom('K8S_POD_NAME=', 'K8S_POD_NAMESPACE=', 'K8S_POD_UID=', ''), fc.string({ maxLength: 300 })),
  );
  await fc.assert(
    fc.asyncProperty(args, async (pairs) => {
      const CNI_ARGS = pairs
        .map((pair) => pair.join(''))
        .join(';')
        .replaceAll('\0', '');
      // A result without addresses, so that no agent is waited for when the names happen to be good.
      const input = '{"cniVersion":"1.0.0","prevResult":{}}';
      const { signal, status, stderr } = await runCni({ ...ENVIRONMENT, CNI_ARGS }, input, binary);
      assert.equal(signal, null, stderr);
      assert.ok(status === 0 || status === 1, stderr);
    }),
    { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: FUZZ_MS },
  );
});
