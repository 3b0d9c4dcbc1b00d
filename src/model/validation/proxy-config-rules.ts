/** The semantic rules of ProxyConfig (facts l7-and-control 6.3, 9.4); the schema has the bound of concurrency. */
import type { FieldReader } from '../manifest/field-reader.ts';
import { readMatchLabels } from '../manifest/selector.ts';
import { quoted } from './value-rules.ts';

export function checkProxyConfig(spec: FieldReader): void {
  readMatchLabels(spec);
  const variables = spec.child('environmentVariables');
  for (const name of variables.names()) {
    if (name === '' || /[=\0]/.test(name)) variables.report(name, `${quoted(name)} cannot name a variable`);
  }
}
