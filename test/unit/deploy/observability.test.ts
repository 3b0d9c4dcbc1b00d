import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import {
  dashboardQuestions,
  monitoredRelabelings,
  recordedNames,
  ruleQuestions,
  scrapeConfigs,
} from '../../helpers/observability.ts';

interface Family {
  readonly name: string;
  readonly type: string;
  readonly bareName?: boolean;
  readonly samples: readonly { readonly labels: string; readonly suffix?: string }[];
}

// The documentation makes one of each.
const METRICS = new URL('../../../scripts/docs/metrics.mjs', import.meta.url).href;
const { allFamilies } = (await import(METRICS)) as { allFamilies: () => readonly Family[] };

/** What Prometheus itself adds. */
const ADDED = ['instance', 'job'];
const METRIC = /\b(?:istio|pilot|citadel|ambit|workload_manager|process|nodejs)_[a-z0-9_]+\b/g;

/** Labels by the names of samples, as they are exposed. */
function exposed(): Map<string, Set<string>> {
  const names = new Map<string, Set<string>>();
  for (const { name, type, bareName, samples } of allFamilies()) {
    const total = type === 'counter' && bareName !== true ? '_total' : '';
    for (const { labels, suffix } of samples) {
      const key = name + (suffix ?? total);
      const known = names.get(key) ?? new Set(ADDED);
      for (const [, label = ''] of labels.matchAll(/([a-z_]+)="/g)) known.add(label);
      names.set(key, known);
    }
  }
  return names;
}

describe('dashboards and rules', () => {
  const names = exposed();
  const recorded = recordedNames();
  const questions = [...dashboardQuestions(), ...ruleQuestions()];

  it('are there', () => {
    assert.ok(dashboardQuestions().length > 60 && ruleQuestions().length > 10);
  });

  it('ask for metrics that ambit exports, by labels that these have', () => {
    for (const { place, expr } of questions) {
      const text = recorded.reduce((left, name) => left.replaceAll(name, ''), expr);
      const asked = [...text.matchAll(METRIC)].map(([name]) => name);
      for (const name of asked) assert.ok(names.has(name), `${place}: no role exports ${name}`);
      const labels = new Set(asked.flatMap((name) => [...(names.get(name) ?? [])]));
      const wanted = [
        ...[...text.matchAll(/[{,]\s*([a-z_]+)\s*(?:=~|!~|!=|=)/g)].map(([, label = '']) => label),
        ...[...text.matchAll(/\bby \(([^)]*)\)/g)].flatMap(([, list = '']) =>
          list.split(',').map((label) => label.trim()),
        ),
      ];
      if (asked.length === 0) continue;
      for (const label of wanted) assert.ok(labels.has(label), `${place}: ${asked.join(', ')} has no label ${label}`);
    }
  });
});

describe('what Prometheus scrapes', () => {
  it('is the same by its own configuration and by the monitor of its operator', () => {
    const [job, ...others] = scrapeConfigs();
    assert.deepEqual(others, []);
    const snake = (name: string) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const monitored = monitoredRelabelings().map((rule) =>
      Object.fromEntries(Object.entries(rule).map(([name, value]) => [snake(name), value])),
    );
    assert.deepEqual(monitored, job?.relabel_configs);
  });
});
