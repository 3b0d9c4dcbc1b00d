import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { BrowserSession } from '../../../src/dashboard/browser-session.ts';

describe('a session of the dashboard', () => {
  it('is opened by its token once, and known by its cookie', () => {
    const session = new BrowserSession();
    const token = session.token ?? '';
    assert.ok(token.length >= 32);
    assert.equal(session.open('guess'), undefined);
    const cookie = session.open(token) ?? '';
    assert.match(cookie, /; HttpOnly; SameSite=Strict; Path=\/$/);
    assert.equal(session.open(token), undefined);
    assert.equal(session.token, undefined);
    const value = cookie.split(';')[0] ?? '';
    assert.ok(session.admits(`other=1; ${value}`));
    assert.equal(session.admits(undefined), false);
    assert.equal(session.admits('ambit-session='), false);
    assert.equal(session.admits(`x${value}`), false);
    assert.equal(new BrowserSession().admits(value), false);
  });

  it('is for names of this machine, so that no other site leads to it', () => {
    for (const host of ['127.0.0.1:9000', 'localhost', '[::1]:80']) assert.ok(BrowserSession.isLoopback(host), host);
    for (const host of [
      undefined,
      '',
      'evil.example',
      'localhost.evil.example',
      '127.0.0.1.evil.example:80',
      '10.0.0.1',
    ])
      assert.equal(BrowserSession.isLoopback(host), false, host);
  });
});
