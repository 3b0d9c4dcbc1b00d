/** `XDS_ON_DEMAND` without namespaces, against a feed that says what the test tells it to (facts ztunnel-wire 5.3). */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { ADDRESS_TYPE, AUTHORIZATION_TYPE } from '../../src/mesh/feed.ts';
import { encodeWorkload } from '../../src/model/feed-encode.ts';
import { createWorkload } from '../../src/model/workload.ts';
import { Address } from '../../src/proto/gen/workload.ts';
import { askSocks, serveDouble, startDirect } from '../helpers/direct-ztunnel.ts';
import { eventually } from '../helpers/eventually.ts';
import { ScriptedFeed } from '../helpers/scripted-feed.ts';

const UID = 'Kubernetes//Pod/default/local';

function ownRecord(): Uint8Array {
  const workload = createWorkload({ uid: UID, name: 'local', namespace: 'default', serviceAccount: 'local' });
  return Address.encode({ type: { $case: 'workload', workload: encodeWorkload(workload) } }).finish();
}

/** The names asked for in the order of the questions. */
const asked = (feed: ScriptedFeed) =>
  feed.requests.flatMap((request) => request.resourceNamesSubscribe).filter((name) => name !== '*');

describe('a ztunnel whose feed is on demand', { timeout: 110_000 }, () => {
  it('is ready after the policies, asks for itself and each destination once, and again on the next stream', async () => {
    await using feed = new ScriptedFeed();
    await feed.start();
    await using server = await serveDouble();
    await using ztunnel = await startDirect('{}', {
      XDS_ADDRESS: `http://127.0.0.1:${feed.port}`,
      XDS_ROOT_CA: '',
      AUTH_TOKEN: 'token',
      XDS_ON_DEMAND: 'true',
    });
    await eventually('the first questions', () => feed.requests.length >= 3);
    const [first, policies] = feed.requests;
    assert.deepEqual([first?.typeUrl, first?.resourceNamesSubscribe], [ADDRESS_TYPE, ['*']]);
    assert.deepEqual([policies?.typeUrl, policies?.resourceNamesSubscribe], [AUTHORIZATION_TYPE, []]);
    assert.equal(ztunnel.handle.ready(), false);
    feed.push({}, 'n1', [], AUTHORIZATION_TYPE);
    await eventually('readiness, though no address came', () => ztunnel.handle.ready());

    const answers = ['one', 'two'].map((text) => askSocks(ztunnel.socksPort, '127.0.0.1', server.port, text));
    await eventually('the question for itself', () => asked(feed).length > 0);
    assert.deepEqual(asked(feed), [UID]);
    feed.push({ [UID]: ownRecord() }, 'n2', [], ADDRESS_TYPE);
    await eventually('the question for the destination', () => asked(feed).includes('/127.0.0.1'));
    assert.equal(server.accepted, 0, 'nothing goes out before the answer');
    feed.push({}, 'n3', ['/127.0.0.1'], ADDRESS_TYPE);
    assert.deepEqual(await Promise.all(answers), ['oneone', 'twotwo']);
    assert.equal(await askSocks(ztunnel.socksPort, '127.0.0.1', server.port, 'three'), 'threethree');
    assert.deepEqual(asked(feed), [UID, '/127.0.0.1']);

    feed.calls[0]?.end();
    await eventually('the next stream', () => feed.calls.length === 2 && feed.requests.at(-1)?.node !== undefined);
    const again = feed.requests.findLast(({ node, typeUrl }) => node !== undefined && typeUrl === ADDRESS_TYPE);
    assert.deepEqual(
      [...(again?.initialResourceVersions ?? [])],
      [
        [UID, 'v'],
        ['/127.0.0.1', ''],
      ],
    );
  });
});
