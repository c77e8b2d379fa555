/** Messages that stay until they are dealt with: what happened, and buttons for what can be done about it. */
import { type Signal, signal } from '@preact/signals';

export interface Notice {
  /** What it is about: a newer notice of the same subject takes its place. */
  readonly subject: string;
  readonly tone: 'info' | 'warning' | 'error';
  readonly text: string;
  readonly actions?: readonly NoticeAction[];
}

export interface NoticeAction {
  readonly label: string;
  readonly title?: string;
  run(): unknown;
}

/** The notices of one place, the page or a notebook. */
export class Notices {
  readonly #shown: Signal<readonly Notice[]> = signal([]);

  get shown(): readonly Notice[] {
    return this.#shown.value;
  }

  show(notice: Notice): void {
    this.#shown.value = [...this.#others(notice.subject), notice];
  }

  clear(subject: string): void {
    if (this.#shown.peek().some((notice) => notice.subject === subject)) this.#shown.value = this.#others(subject);
  }

  #others(subject: string): Notice[] {
    return this.#shown.peek().filter((notice) => notice.subject !== subject);
  }
}

export function NoticeList({ notices }: { readonly notices: Notices }) {
  return (
    <>
      {notices.shown.map((notice) => (
        <div key={notice.subject} class={`notice ${notice.tone}`} role={notice.tone === 'info' ? 'status' : 'alert'}>
          <p>{notice.text}</p>
          <div class="notice-actions">
            {notice.actions?.map(({ label, title, run }) => (
              <button key={label} type="button" title={title} onClick={() => void run()}>
                {label}
              </button>
            ))}
            {notice.tone !== 'error' && (
              <button type="button" class="quiet" onClick={() => notices.clear(notice.subject)}>
                Dismiss
              </button>
            )}
          </div>
        </div>
      ))}
    </>
  );
}
