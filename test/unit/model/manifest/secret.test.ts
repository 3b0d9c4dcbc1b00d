import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parseManifest } from '../../../../src/model/manifest/parse-manifest.ts';
import { createTestCa } from '../../../helpers/test-ca.ts';

const SECRET = 'hunter2';
const leaf = createTestCa().leaf();

function parse(fields: object, extra = '') {
  const text = JSON.stringify({ apiVersion: 'v1', kind: 'Secret', metadata: { name: 's' }, ...fields });
  return parseManifest(text + extra, 'f.yaml');
}

describe('a Secret', () => {
  it('is decoded, folded or plain, as far as its keys are read', () => {
    const encoded = Buffer.from(leaf.certPem).toString('base64');
    const data = { 'tls.crt': `${encoded.slice(0, 64)}\n${encoded.slice(64)}`, password: 'eA==' };
    const { objects } = parse({ data, stringData: { key: leaf.keyPem, crl: 'list' } });
    const [{ object } = assert.fail()] = objects;
    assert.ok(object.kind === 'Secret');
    assert.deepEqual(object.own, { ok: true, value: { certificate: leaf.certPem.trim(), key: leaf.keyPem } });
    assert.deepEqual([object.ca, object.crl], [undefined, 'list']);
  });

  for (const [what, fields] of [
    ['data that is text', { data: SECRET }],
    ['a value that is no base64', { data: { 'tls.key': `${SECRET} !` } }],
    ['a value that is no text', { stringData: { 'tls.key': [SECRET] } }],
  ] as const) {
    it(`with ${what} is refused by name and field, without its content`, () => {
      const { problems, refusedKeys } = parse(fields);
      assert.deepEqual(refusedKeys, ['Secret/default/s']);
      assert.match(problems[0]?.field ?? '', /^(data|stringData)/);
      assert.ok(!JSON.stringify(problems).includes(SECRET));
    });
  }

  it('in a file that is no YAML is not quoted', () => {
    for (const broken of [
      `\n}${SECRET}`,
      `\n---\nkind: Secret\ndata: {a: ${SECRET}, a: ${SECRET}}`,
      `\n---\n@${SECRET}`,
      `\n---\n*${SECRET}`,
    ]) {
      const { problems } = parse({}, broken);
      assert.ok(problems.length > 0, broken);
      assert.ok(!JSON.stringify(problems).includes(SECRET), JSON.stringify(problems));
    }
  });
});
