import assert from 'node:assert/strict';
import type { IncomingMessage } from 'node:http';
import { describe, it } from 'node:test';
import { LoopbackGate } from '../../../src/dashboard/loopback-gate.ts';
import { isAnswer } from '../../../src/dashboard/viewer.ts';

const ask = (gate: LoopbackGate, path: string, headers: Record<string, string> = {}) =>
  gate.admit(
    { headers: { host: '127.0.0.1:4000', ...headers } } as unknown as IncomingMessage,
    new URL(path, 'http://dashboard'),
  );

describe('the gate of a dashboard on one machine', () => {
  it('gives a session for its token once, and lets in who has it', async () => {
    const gate = new LoopbackGate();
    const { token } = gate;
    const opened = await ask(gate, `/?token=${token}`);
    assert.ok(isAnswer(opened));
    assert.equal(opened.status, 303);
    assert.equal(opened.headers?.['location'], '/', 'the token leaves the address bar');
    const cookie = opened.headers?.['set-cookie']?.split(';')[0] ?? '';
    const viewer = await ask(gate, '/api/mesh', { cookie });
    assert.ok(!isAnswer(viewer) && viewer.mayRead('any'));
    const again = await ask(gate, `/?token=${token}`);
    assert.ok(isAnswer(again) && again.status === 403);
  });

  it('turns away who has no session, and takes the token at no other path', async () => {
    const gate = new LoopbackGate();
    for (const path of ['/', '/api/mesh', `/api/mesh?token=${gate.token}`, '/?token=guess']) {
      const answer = await ask(gate, path);
      assert.ok(isAnswer(answer) && answer.status === 403, path);
    }
    assert.notEqual(gate.token, undefined, 'the token is still good');
  });

  it('turns away other names that lead to this machine, whatever they bring', async () => {
    const gate = new LoopbackGate();
    const answer = await ask(gate, `/?token=${gate.token}`, { host: 'evil.example' });
    assert.ok(isAnswer(answer) && answer.status === 403);
    assert.notEqual(gate.token, undefined);
  });
});
