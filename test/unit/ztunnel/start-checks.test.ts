import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';

const MODULE = fileURLToPath(new URL('../../../src/ztunnel/start-checks.ts', import.meta.url));
const SCRIPT = `import(${JSON.stringify(MODULE)}).then(({ checkPrivileges }) => checkPrivileges(1337)).catch((error) => {
  process.stdout.write(error.code + ' ' + error.message);
});`;

/** What the check says in a process without these capabilities. */
function checkWithout(capabilities: readonly string[]): string {
  const drop = capabilities.map((name) => `-${name}`).join(',');
  const limits = drop === '' ? [] : ['--bounding-set', drop, '--inh-caps', drop];
  const args = [...limits, '--', process.execPath, '--input-type=module', '--eval', SCRIPT];
  const { stdout, stderr, status } = spawnSync('setpriv', args, { encoding: 'utf8', timeout: 60_000 });
  assert.equal(status, 0, stderr);
  return stdout;
}

describe('the start of shared mode', () => {
  it('is content with the capabilities of the chart', () => {
    assert.equal(checkWithout([]), '');
  });

  it('names CAP_SYS_ADMIN when namespaces cannot be entered', () => {
    assert.match(
      checkWithout(['sys_admin']),
      /^MISSING_PRIVILEGE .*network namespaces of pods: it needs CAP_SYS_ADMIN/,
    );
  });

  it('names CAP_NET_ADMIN and CAP_NET_RAW when packets cannot be marked', () => {
    assert.match(
      checkWithout(['net_admin', 'net_raw']),
      /^MISSING_PRIVILEGE .*mark its packets with 1337: it needs CAP_NET_ADMIN or CAP_NET_RAW/,
    );
  });
});
