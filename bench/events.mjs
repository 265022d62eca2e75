// The events that every server gets, the same to each: 20,000 users, 53 pages, five days, no event twice. A user comes
// for two pages a minute apart, then again on the next day. So one event in two is the first of its user's day, which costs
// Redis most.

const DAY = 24 * 60 * 60 * 1000;
export const USERS = 20_000;
const PAGES = 53; // no divisor of the users
export const DAYS = 5;
const CROWD = 1000; // users who are there at once: so many events lie between the two of a visit

export const userId = (user) => `019${user.toString(36).padStart(7, '0')}`;
export const allUsers = Array.from({ length: USERS }, (_, user) => userId(user));

/** The i-th event; `today` is the midnight that begins the current day, and the events lie on the five days before it. */
export function event(i, today) {
  const user = (Math.floor(i / (2 * CROWD)) * CROWD + (i % CROWD)) % USERS;
  const second = Math.floor(i / CROWD) % 2;
  const visit = Math.floor(i / (2 * USERS));
  const day = today - DAY * (DAYS - ((user + visit) % DAYS));
  return {
    userId: userId(user),
    at: day + (((user * 7919) % 600) + Math.floor(visit / DAYS) * 10 + second) * 60_000 + (user % 997),
    name: `Blog: better B2B customer experience, part ${i % PAGES}`,
  };
}

/** The event as the API takes it. */
export function body({ userId, at, name }) {
  return { user_id: userId, name, timestamp: new Date(at).toISOString() };
}

export const VIEWS_A_VISIT = 2;
export const EVENTS_A_VISIT = VIEWS_A_VISIT * USERS; // of all users
