/** The questions to Prometheus that deploy/observability has. */
import { readdirSync, readFileSync } from 'node:fs';
import { parse } from 'yaml';

const FOLDER = new URL('../../deploy/observability/', import.meta.url);
export const RULES_FILE = new URL('rules.yaml', FOLDER).pathname;

/** As much of a scrape configuration as tests look at. */
export interface ScrapeConfig {
  readonly job_name: string;
  readonly kubernetes_sd_configs: readonly { readonly role: string }[];
  readonly relabel_configs: readonly Readonly<Record<string, unknown>>[];
}

/** What people are told to scrape. */
export function scrapeConfigs(): readonly ScrapeConfig[] {
  const text = readFileSync(new URL('prometheus.yaml', FOLDER), 'utf8');
  return (parse(text) as { scrape_configs: readonly ScrapeConfig[] }).scrape_configs;
}

/** The relabelings of the operator's monitor. */
export function monitoredRelabelings(): readonly Readonly<Record<string, unknown>>[] {
  const { spec } = parse(readFileSync(new URL('monitors.yaml', FOLDER), 'utf8')) as {
    spec: { podMetricsEndpoints: readonly { relabelings: readonly Readonly<Record<string, unknown>>[] }[] };
  };
  return spec.podMetricsEndpoints.flatMap(({ relabelings }) => relabelings);
}

export interface Question {
  /** Dashboard and panel, or the rule. */
  readonly place: string;
  readonly expr: string;
}

interface Panel {
  readonly title: string;
  readonly targets?: readonly { readonly expr: string }[];
}

/** With the variables of Grafana as a person would choose them: everything. */
export function dashboardQuestions(): Question[] {
  const folder = new URL('dashboards/', FOLDER);
  return readdirSync(folder).flatMap((file) => {
    const { panels, templating } = JSON.parse(readFileSync(new URL(file, folder), 'utf8')) as {
      panels: readonly Panel[];
      templating: { list: readonly { name: string; definition?: string }[] };
    };
    const variables = templating.list.flatMap(({ name, definition }) => {
      const metric = /^label_values\((.*), \w+\)$/.exec(definition ?? '')?.[1];
      return metric === undefined ? [] : [{ place: `${file}: variable ${name}`, expr: chosen(metric) }];
    });
    const asked = panels.flatMap(({ title, targets = [] }) =>
      targets.map(({ expr }) => ({ place: `${file}: ${title}`, expr: chosen(expr) })),
    );
    return [...variables, ...asked];
  });
}

export function ruleQuestions(): Question[] {
  const { groups } = parse(readFileSync(RULES_FILE, 'utf8')) as {
    groups: readonly { rules: readonly { record?: string; alert?: string; expr: string }[] }[];
  };
  return groups.flatMap(({ rules }) =>
    rules.map(({ record, alert, expr }) => ({ place: `rule ${record ?? alert}`, expr })),
  );
}

/** Names that rules record. */
export function recordedNames(): string[] {
  return ruleQuestions().flatMap(({ place }) => /^rule (\S+:\S+)$/.exec(place)?.[1] ?? []);
}

function chosen(expr: string): string {
  return expr.replaceAll('$__rate_interval', '30s').replaceAll(/\$(service|namespace|workload)/g, '.*');
}
