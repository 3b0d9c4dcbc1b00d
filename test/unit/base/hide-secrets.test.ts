import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { hideSecretParams } from '../../../src/base/hide-secrets.ts';

describe('parameters that often carry secrets', () => {
  it('are hidden by their names, however these are written', () => {
    for (const name of [
      'password',
      'user_password',
      'userPassword',
      'token',
      'id_token',
      'refreshToken',
      'api_key',
      'apiKey',
      'x-api-key',
      'client_secret',
      'code',
      'X-Amz-Signature',
      'sig',
      'pass%77ord',
    ]) {
      assert.equal(hideSecretParams(`/a?x=1&${name}=s%20ecret&y=2`), `/a?x=1&${name}=[hidden]&y=2`);
    }
  });

  it('are told from harmless ones with similar names', () => {
    const target = '/a?country_code=de&monkey=1&keyboard=us&tokens_left=3&page=2&designated=x#top';
    assert.equal(hideSecretParams(target), target);
  });

  it('are hidden in lines of a log, too, and nothing else there is', () => {
    assert.equal(
      hideSecretParams(
        'info request complete method="GET" path="/a?token=abc" code=200 {"path":"/b?x=1&code=7","n":1}',
      ),
      'info request complete method="GET" path="/a?token=[hidden]" code=200 {"path":"/b?x=1&code=[hidden]","n":1}',
    );
  });
});
