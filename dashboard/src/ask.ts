/** Questions to the dashboard's server. */
import { useEffect, useState } from 'preact/hooks';

/** @throws Error with what the server says */
export async function ask<T>(path: string): Promise<T> {
  const answer = await fetch(path);
  const refusal = await refusalIn(answer);
  if (refusal !== '') throw new Error(refusal);
  return (await answer.json()) as T;
}

/** Why a stream is refused; empty when it is not. @throws TypeError when nobody answers */
export async function refusalOf(path: string): Promise<string> {
  const answer = await fetch(path);
  const refusal = await refusalIn(answer);
  if (refusal === '') await answer.body?.cancel();
  return refusal;
}

async function refusalIn(answer: Response): Promise<string> {
  // The login has ended: the server gives the page for another one.
  if (answer.status === 401) location.reload();
  return answer.ok ? '' : (await answer.text()).trim() || `the dashboard answers with status ${answer.status}`;
}

export interface Answered<T> {
  /** Of the last time that it was answered. */
  readonly value: T | undefined;
  /** Why the last time was none; empty otherwise. */
  readonly failure: string;
}

/**
 * Asks again and again, while the page is looked at. Another path is another question: the old answer goes.
 * @param path empty: nothing is asked
 */
export function useAnswer<T>(path: string, periodMs: number): Answered<T> {
  const [answered, setAnswered] = useState<Answered<T> & { readonly path: string }>({
    path,
    value: undefined,
    failure: '',
  });
  useEffect(() => {
    let isOver = false;
    const read = () => {
      if (document.hidden || path === '') return;
      ask<T>(path).then(
        (value) => isOver || setAnswered({ path, value, failure: '' }),
        (error: Error) =>
          isOver ||
          setAnswered((last) => ({ path, value: last.path === path ? last.value : undefined, failure: error.message })),
      );
    };
    read();
    const timer = setInterval(read, periodMs);
    document.addEventListener('visibilitychange', read);
    return () => {
      isOver = true;
      clearInterval(timer);
      document.removeEventListener('visibilitychange', read);
    };
  }, [path, periodMs]);
  return answered.path === path ? answered : { value: undefined, failure: '' };
}
