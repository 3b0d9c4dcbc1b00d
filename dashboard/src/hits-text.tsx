/** How often a policy decided, and how. */

/** What refuses is red, what would have refused is a warning. */
const TONES: Readonly<Record<string, string>> = { denied: 'bad', would_deny: 'poor' };

export function HitsText({ hits }: { readonly hits: Readonly<Record<string, number>> }) {
  const results = Object.entries(hits).filter(([, count]) => count > 0);
  if (results.length === 0) return <span class="hint">none</span>;
  return (
    <>
      {results.map(([result, count], index) => (
        <span key={result} class={`hits ${TONES[result] ?? ''}`}>
          {index > 0 && ', '}
          {count.toLocaleString('en')} {result.replace('_', ' ')}
        </span>
      ))}
    </>
  );
}
