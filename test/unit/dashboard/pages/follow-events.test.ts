import assert from 'node:assert/strict';
import { beforeEach, describe, it } from 'node:test';
import { type EventBrowser, followEvents } from '../../../../dashboard/src/follow-events.ts';

/** As a browser has it: connecting (0), open (1), or closed for good (2). */
class Source extends EventTarget {
  readyState = 0;

  close(): void {
    this.readyState = 2;
  }

  open(): void {
    this.dispatchEvent(new Event('open'));
  }

  async fail(readyState: number): Promise<void> {
    this.readyState = readyState;
    this.dispatchEvent(new Event('error'));
    await new Promise((resolve) => setImmediate(resolve));
  }

  say(name: string, data: object): void {
    this.dispatchEvent(Object.assign(new Event(name), { data: JSON.stringify(data) }));
  }
}

class Browser implements EventBrowser {
  readonly sources: Source[] = [];
  waiting: (() => void) | undefined;
  asked = 0;
  refusal: () => Promise<string> = async () => '4 of your browsers look at the tap already';

  open(): Source {
    const source = new Source();
    this.sources.push(source);
    return source;
  }

  refusalOf(): Promise<string> {
    this.asked += 1;
    return this.refusal();
  }

  later(act: () => void): () => void {
    this.waiting = act;
    return () => {
      this.waiting = undefined;
    };
  }
}

describe('the events that a page follows', () => {
  let browser: Browser;
  let failures: string[];
  let records: object[];
  let end: () => void;

  beforeEach(() => {
    browser = new Browser();
    failures = [];
    records = [];
    const takers = { record: (data: object) => records.push(data) };
    end = followEvents('/api/tap', takers, (reason) => failures.push(reason), browser);
  });

  it('are taken by name', () => {
    browser.sources[0]?.say('record', { path: '/' });
    browser.sources[0]?.say('other', {});
    assert.deepEqual(records, [{ path: '/' }]);
  });

  it('are left to the browser to open again after they broke off', async () => {
    await browser.sources[0]?.fail(0);
    assert.deepEqual([browser.asked, browser.waiting], [0, undefined]);
    assert.match(failures.at(-1) ?? '', /does not answer/);
  });

  it('are tried anew after a refusal, of which the page says the reason until they come', async () => {
    await browser.sources[0]?.fail(2);
    assert.deepEqual([browser.asked, failures], [1, ['4 of your browsers look at the tap already']]);
    browser.waiting?.();
    const [, second] = browser.sources;
    second?.open();
    second?.say('record', { path: '/again' });
    assert.deepEqual([failures.at(-1), records], ['', [{ path: '/again' }]]);
  });

  it('are tried anew also when nobody answers the question for the reason', async () => {
    browser.refusal = () => Promise.reject(new TypeError('failed to fetch'));
    await browser.sources[0]?.fail(2);
    assert.match(failures.at(-1) ?? '', /does not answer/);
    assert.ok(browser.waiting);
  });

  it('end when the page is left: at once, while the reason is asked for, and during the pause', async () => {
    await browser.sources[0]?.fail(2);
    end();
    assert.equal(browser.waiting, undefined, 'during the pause');
    const other = new Browser();
    const leave = followEvents('/api/tap', {}, () => undefined, other);
    const asking = other.sources[0]?.fail(2);
    leave();
    await asking;
    assert.equal(other.waiting, undefined, 'while it was asked');
    const last = new Browser();
    followEvents('/api/tap', {}, () => undefined, last)();
    assert.equal(last.sources[0]?.readyState, 2);
  });
});
