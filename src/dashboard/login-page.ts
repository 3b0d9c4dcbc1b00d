/** The page that asks for a token: without scripts, and nothing of other places in it. */
import type { Answer } from './viewer.ts';

/** It may send its form here and do nothing else. */
const POLICY =
  "default-src 'none'; style-src 'unsafe-inline'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'";

/** @param problem what was wrong with the last try; empty for none */
export function loginPage(status: number, problem: string): Answer {
  const headers = { 'content-type': 'text/html; charset=utf-8', 'content-security-policy': POLICY };
  const note = problem === '' ? '' : `<p class="problem" role="alert">${escaped(problem)}</p>`;
  return { status, headers, body: PAGE.replace('<!--problem-->', () => note) };
}

function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (letter) => `&#${letter.charCodeAt(0)};`);
}

const PAGE = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>ambit: log in</title>
<style>
:root {
  color-scheme: light dark;
  --ground: light-dark(#f5f6f8, #13161a); --box: light-dark(#fff, #1b1f25); --line: light-dark(#dce0e6, #323a45);
  --ink: light-dark(#1a212a, #e3e8ee); --quiet: light-dark(#5a6572, #98a4b3);
  --bad: light-dark(#c22536, #ff7482); --go: light-dark(#2557d6, #82a8ff);
}
* { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; display: grid; place-items: center; padding: 1rem; background: var(--ground); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; }
main { width: 100%; max-width: 27rem; padding: 1.75rem; background: var(--box); border: 1px solid var(--line); border-radius: 10px; }
h1 { margin: 0 0 .25rem; font-size: 1.15rem; }
p { margin: 0 0 1rem; color: var(--quiet); }
label { display: block; margin-bottom: .35rem; font-weight: 600; }
input { width: 100%; padding: .55rem .65rem; font: inherit; color: inherit; background: var(--ground); border: 1px solid var(--line); border-radius: 6px; }
button { margin-top: 1rem; padding: .55rem 1.1rem; font: inherit; font-weight: 600; color: var(--box); background: var(--go); border: 0; border-radius: 6px; cursor: pointer; }
:focus-visible { outline: 2px solid var(--go); outline-offset: 2px; }
code { font-size: .87rem; overflow-wrap: anywhere; }
.problem { color: var(--bad); }
.hint { margin: 1.25rem 0 0; font-size: .87rem; }
</style>
</head>
<body>
<main>
<h1>ambit dashboard</h1>
<p>Log in with a token of this cluster. You see the namespaces whose pods you may get.</p>
<!--problem-->
<form method="post" action="/login" autocomplete="off">
<label for="token">Token</label>
<input id="token" name="token" type="password" required autocomplete="off" autofocus spellcheck="false" maxlength="16384">
<button type="submit">Log in</button>
</form>
<p class="hint">For a service account: <code>kubectl create token ACCOUNT -n NAMESPACE</code>. The token stays in the memory of the dashboard for at most eight hours.</p>
</main>
</body>
</html>
`;
