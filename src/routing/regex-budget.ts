/**
 * What regular expressions may cost one request. RE2 takes at most as many steps for a match as its program has
 * instructions, times the length of the text: a request is charged that before the match, and refused once it has no
 * steps left. A waypoint has one thread; adverse patterns take 10 to 50 steps in a microsecond, common ones a hundredth.
 */
import type { CompiledRegex } from '../model/regex/compile-regex.ts';

/** Of one request, all patterns together that it is matched with. */
export const MAX_REQUEST_STEPS = 10_000_000;

/** Where the text came from: the request line, or the fields. */
export type RegexPlace = 'target' | 'header';

export class RegexBudget {
  #left = MAX_REQUEST_STEPS;
  #exceededBy: RegexPlace | undefined;

  /** What was too long; from then on nothing matches, and the request has to be refused. */
  get exceededBy(): RegexPlace | undefined {
    return this.#exceededBy;
  }

  /** Charges a match. @param characters of the text  @returns false: it must not be done */
  take({ instructions }: CompiledRegex, characters: number, place: RegexPlace): boolean {
    this.#left -= instructions * (characters + 1);
    if (this.#left < 0) this.exceed(place);
    return this.#exceededBy === undefined;
  }

  /** There is more work in a text than there may be. */
  exceed(place: RegexPlace): void {
    this.#exceededBy ??= place;
  }
}
