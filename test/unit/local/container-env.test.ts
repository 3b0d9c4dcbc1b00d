import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  containerCommand,
  containerEnv,
  expandReferences,
  fieldValue,
  type PodFields,
} from '../../../src/local/container-env.ts';
import type { Container } from '../../../src/model/manifest/pod.ts';

const POD: PodFields = {
  name: 'web-1',
  namespace: 'demo',
  uid: 'u-1',
  nodeName: 'node1',
  nodeIp: '10.240.0.11',
  serviceAccount: 'web',
  podIps: ['10.244.1.2', 'fd00:244:1::2'],
  labels: new Map([['app', 'web']]),
  annotations: new Map(),
};

function container(fields: Partial<Container>): Container {
  return {
    name: 'main',
    image: 'none',
    ports: [],
    command: [],
    args: [],
    env: new Map(),
    envFields: new Map(),
    workingDir: '',
    readinessProbe: undefined,
    ...fields,
  };
}

describe('expandReferences', () => {
  const variables = new Map([
    ['A', '1'],
    ['B_C', 'two'],
  ]);
  const cases: readonly [string, string][] = [
    ['$(A)', '1'],
    ['x$(A)y$(B_C)z', 'x1ytwoz'],
    ['$(MISSING)', '$(MISSING)'],
    ['$$(A)', '$(A)'],
    ['$A $', '$A $'],
    ['', ''],
  ];
  for (const [text, expected] of cases) {
    it(`makes ${expected || 'nothing'} of ${text || 'nothing'}`, () =>
      assert.equal(expandReferences(text, variables), expected));
  }
});

describe('containerEnv', () => {
  it('has fields of the pod, and values that refer to them', () => {
    const env = containerEnv(
      container({
        env: new Map([['URL', 'http://$(IP):80/$(NAME)']]),
        envFields: new Map([
          ['IP', 'status.podIP'],
          ['NAME', 'metadata.name'],
          ['APP', "metadata.labels['app']"],
        ]),
      }),
      POD,
    );
    assert.equal(env.get('URL'), 'http://10.244.1.2:80/web-1');
    assert.equal(env.get('APP'), 'web');
    assert.equal(env.get('HOSTNAME'), 'web-1');
  });

  it('knows no field that pods do not have', () => assert.equal(fieldValue(POD, 'spec.nothing'), undefined));
});

describe('containerCommand', () => {
  it('joins command and arguments and expands both', () => {
    const command = containerCommand(
      container({ command: ['run', '$(A)'], args: ['-p', '$(A)'] }),
      new Map([['A', '7']]),
    );
    assert.deepEqual(command, ['run', '7', '-p', '7']);
  });

  it('is nothing where only an image is given', () => {
    assert.equal(containerCommand(container({ args: ['x'] }), new Map()), undefined);
  });
});
