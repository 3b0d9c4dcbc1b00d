import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { silentLogger } from '../../../../src/base/logger.ts';
import { BatchExporter, MAX_QUEUED, type SendOutcome } from '../../../../src/waypoint/reporting/batch-exporter.ts';
import { ManualClock } from '../../../helpers/manual-clock.ts';

const settle = () => new Promise((resolve) => setImmediate(resolve));
const SENT: SendOutcome = { kind: 'sent' };
const LATER: SendOutcome = { kind: 'retry', reason: 'gone' };

function setUp(outcomes: SendOutcome[]) {
  const clock = new ManualClock();
  const counts = { sent: 0, dropped: 0 };
  const batches: (readonly number[])[] = [];
  const lines: string[] = [];
  const logger = {
    ...silentLogger,
    warn: (text: string) => void lines.push(text),
    info: (text: string) => void lines.push(text),
  };
  const send = async (batch: readonly number[]) => {
    batches.push(batch);
    return outcomes.shift() ?? SENT;
  };
  const exporter = new BatchExporter({ provider: 'p', counts, send }, { clock, random: () => 0.5, logger });
  const pass = async (ms: number) => {
    clock.advance(ms);
    await settle();
  };
  return { exporter, counts, batches, lines, pass };
}

describe('BatchExporter', () => {
  it('sends what came within a second as one batch', async () => {
    const { exporter, batches, counts, pass } = setUp([]);
    for (const item of [1, 2, 3]) exporter.add(item);
    assert.equal(batches.length, 0);
    await pass(1000);
    assert.deepEqual(batches, [[1, 2, 3]]);
    assert.deepEqual(counts, { sent: 3, dropped: 0 });
  });

  it('sends a full batch at once', async () => {
    const { exporter, batches } = setUp([]);
    for (let item = 0; item < 512; item++) exporter.add(item);
    assert.equal(batches[0]?.length, 512);
  });

  it('tries the same batch again after growing pauses, and says it once', async () => {
    const { exporter, batches, counts, lines, pass } = setUp([LATER, LATER, SENT]);
    exporter.add(1);
    await pass(1000);
    await pass(999);
    assert.equal(batches.length, 1);
    await pass(1);
    await pass(1999);
    assert.equal(batches.length, 2);
    await pass(1);
    assert.deepEqual(batches, [[1], [1], [1]]);
    assert.deepEqual(counts, { sent: 1, dropped: 0 });
    assert.deepEqual(lines, ['a collector cannot be told', 'a collector takes what it is sent again']);
  });

  it('drops and counts what no try could send, and goes on', async () => {
    const { exporter, batches, counts, pass } = setUp([LATER, LATER, LATER, LATER, LATER]);
    exporter.add(1);
    for (let second = 0; second < 40; second++) await pass(1000);
    assert.equal(batches.length, 5);
    assert.deepEqual(counts, { sent: 0, dropped: 1 });
    exporter.add(2);
    await pass(1000);
    assert.deepEqual(counts, { sent: 1, dropped: 1 });
  });

  it('does not send again what was refused', async () => {
    const { exporter, batches, counts, pass } = setUp([{ kind: 'rejected', reason: 'bad' }]);
    exporter.add(1);
    for (let second = 0; second < 5; second++) await pass(1000);
    assert.equal(batches.length, 1);
    assert.deepEqual(counts, { sent: 0, dropped: 1 });
  });

  it('keeps no more than its bound while nobody takes anything', async () => {
    const { exporter, counts, pass } = setUp(Array.from({ length: 100 }, () => LATER));
    for (let item = 0; item < MAX_QUEUED + 600; item++) exporter.add(item);
    await pass(1);
    assert.equal(counts.dropped, 600 - 512);
  });

  it('drops what is left when it is stopped', async () => {
    const { exporter, batches, counts, pass } = setUp([]);
    exporter.add(1);
    exporter.stop();
    exporter.add(2);
    await pass(5000);
    assert.equal(batches.length, 0);
    assert.deepEqual(counts, { sent: 0, dropped: 2 });
  });

  it('says what is not sent yet, and sends it without a pause when it is told to', async () => {
    const { exporter, batches } = setUp([]);
    exporter.add(1);
    assert.equal(exporter.pending, 1);
    exporter.flush();
    assert.equal(exporter.pending, 1);
    await settle();
    assert.equal(exporter.pending, 0);
    assert.deepEqual(batches, [[1]]);
  });
});
