/** Shares of a whole. */
import { percent } from './format.ts';

export interface SharePart {
  readonly name: string;
  /** 0 to 1. */
  readonly share: number;
  /** What is the same has the same colour. */
  readonly tone: number;
}

interface Props {
  readonly parts: readonly SharePart[];
  readonly label: string;
}

const TONES = ['first', 'second', 'third', 'fourth'];

export function ShareBar({ parts, label }: Props) {
  return (
    <span class="shares" role="img" aria-label={label}>
      <span class="bar">
        {parts.map(({ name, share, tone }) => (
          <span key={name} class={`part ${TONES[tone % TONES.length]}`} style={{ width: `${share * 100}%` }} />
        ))}
      </span>
      <span class="names">
        {parts.map(({ name, share, tone }) => (
          <span key={name} class={`tone ${TONES[tone % TONES.length]}`}>
            {name} {percent(share)}
          </span>
        ))}
      </span>
    </span>
  );
}
