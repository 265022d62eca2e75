// The tag that a site pastes in. It must stay under 1 kB compressed, and whatever happens, nothing may be thrown into the page.
//
// A view gets an event_id and is written to localStorage before it is sent, and dropped from there when the service has
// answered. So one whose answer nobody heard, since the page was left or the network was away, is sent again, and the service
// counts it once. Each is a key of its own: two tabs that change one list would lose what the other wrote. A live view says
// no time, since the clock here may be wrong; one that was kept says its age.

interface View {
  event_id: string;
  user_id: string;
  url: string;
  name: string;
  site_id: string | undefined;
  user_sig: string | undefined;
}

declare global {
  interface Window {
    footfall?: {
      /** From now on views are this user's; with nothing they are nobody's again. */
      identify(userId?: string, signature?: string): void;
      /** A view under a name of yours, instead of the automatic one where that has not been sent yet. */
      page(name?: string): unknown;
    };
  }
  interface Navigator {
    globalPrivacyControl?: boolean;
  }
  interface Document {
    prerendering?: boolean;
  }
}

const NAME = 'footfall';
const PREFIX = 'footfall.view.';
const MOST_KEPT = 50;
/** A single-page site sets its title only after it has changed the address. */
const UNTIL_TITLED = 300; // ms

let {
  src,
  dataset: { key = '', site, auto, user, sig }, // a key is of letters that a URL takes as they are
} = document.currentScript as HTMLScriptElement;
let anonymous: string | undefined;
let shown: string | undefined; // the address of the last automatic view
let timer: number | undefined; // of the view that is not sent yet
let store: Record<string, string> = {}; // memory, where the browser refuses to keep anything
try {
  store = localStorage || store;
} catch {}

const isRefused = +navigator.doNotTrack! || navigator.globalPrivacyControl;
if (isRefused) for (const key of [NAME, ...kept()]) delete store[key];

// Another tag would count all twice. An element of that name is none.
if (!window.footfall?.page) {
  window.footfall = {
    identify(userId, signature) {
      user = userId;
      sig = signature;
    },
    page: (name) => view(address(), name),
  };
  addEventListener('online', resend);
  if (auto !== 'off') {
    for (const method of ['pushState', 'replaceState'] as const) {
      const original = History.prototype[method];
      History.prototype[method] = function (...args) {
        if (method === 'pushState') settle(); // the page before was seen; one that is replaced was not
        original.apply(this, args);
        moved();
      };
    }
    addEventListener('popstate', () => {
      settle();
      moved();
    });
    addEventListener('pagehide', () => {
      settle();
      shown = undefined; // if it comes back, out of the browser's cache, that is a view
    });
    addEventListener('pageshow', moved);
    moved();
  }
}

/** Without queries and most fragments: they hold what is nobody's business. */
function address(): string {
  return location.href.replace(/\?[^#]*|#(?!\/).*/g, '');
}

function moved(): void {
  const url = address();
  if (url === shown) return;
  shown = url;
  clearTimeout(timer);
  timer = setTimeout(settle, UNTIL_TITLED);
}

function settle(): void {
  if (timer) view(shown!);
}

/** A page that is prepared, in case somebody goes there, has not been seen. */
async function view(url: string, name?: string): Promise<void> {
  clearTimeout(timer);
  timer = (document.prerendering && setTimeout(view, UNTIL_TITLED, url, name)) as number | undefined;
  if (timer || isRefused) return;
  try {
    if (!user) anonymous ||= store[NAME] || keep(NAME, random() + random());
    const view: View = {
      event_id: random(),
      user_id: `${user || anonymous}`,
      url: url.slice(0, 2048),
      // Control characters, and half of one that was cut, would be refused.
      name: `${name || document.title}`.slice(0, 512).replace(/[\p{Cc}\p{Cs}]/gu, ' '),
      site_id: site,
      user_sig: sig,
    };
    const own = PREFIX + view.event_id;
    // Until it is sent the time stands where its age will.
    if (!kept()[MOST_KEPT - 1]) keep(own, JSON.stringify({ ...view, age_ms: Date.now() }));
    await post(view, own);
    resend();
  } catch {}
}

/** What one tab is sending, another leaves to it. There are no locks without TLS, and none for who may keep nothing. */
function resend(): void {
  navigator.locks?.request(NAME, { ifAvailable: true }, send).catch(send) || send(1);
}

/** One by one, for as long as they are taken. */
async function send(isOurs: unknown): Promise<void> {
  try {
    if (isOurs)
      for (const own of kept())
        if (store[own]) {
          const view = JSON.parse(store[own]);
          view.age_ms = Math.max(0, Date.now() - view.age_ms);
          await post(view, own);
        }
  } catch {}
}

/** Throws where it may be taken later. */
async function post(view: View, own: string): Promise<void> {
  const { status } = await fetch(new URL(`v1/page?key=${key}`, src), {
    method: 'POST',
    body: JSON.stringify(view, (_, value) => value || undefined), // an attribute that is empty says nothing
    keepalive: true,
    referrerPolicy: 'no-referrer', // the address has what `address` leaves out
  });
  // Taken, or never to be. Whatever else is answered, by whomever, it may be taken later.
  if (!/202|40[03]/.test(status as unknown as string)) throw status;
  delete store[own];
}

function kept(): string[] {
  return Object.keys(store).filter((key) => key.startsWith(PREFIX));
}

function keep(key: string, value: string): string {
  try {
    store[key] = value;
  } catch {} // it is full
  return value;
}

/**
 * 53 bits: enough to tell a person's views apart, and twice that people. These are no secrets. By the time, since there are pages
 * whose random numbers are the same for everybody.
 */
function random(): string {
  return (Math.random() * Date.now()).toString(36);
}
