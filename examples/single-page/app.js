// A page that stays: links change the address and what is shown, the tag notices by itself. It is told two things that it
// can't see: who somebody is, and which step of a booking is shown, since all of them have one address.

import { TRIPS } from './trips.js';

const main = document.querySelector('main');
const PLACES = 8;

/** An element, with what is in it. */
function el(name, properties = {}, ...children) {
  const element = Object.assign(document.createElement(name), properties);
  element.append(...children);
  return element;
}

const link = (href, text, className = '') => el('a', { href, className }, text);
const button = (text, onclick) => el('button', { type: 'button', className: 'main', onclick }, text);
const facts = ({ hours, price }) => el('p', { className: 'facts' }, `${hours} hours · € ${price} a head`);
const heading = (text) => el('h1', { tabIndex: -1 }, text);

function showTrips() {
  const cards = TRIPS.map((trip) =>
    el('li', {}, el('h2', {}, link(`/trips/${trip.slug}`, trip.name)), el('p', {}, trip.about), facts(trip)),
  );
  return {
    title: 'Trips',
    content: [
      el('img', { className: 'banner', src: '/coast.svg', alt: '', width: 1000, height: 260 }),
      heading('Day trips by boat'),
      el('p', { className: 'lead' }, 'Three trips, one harbour, and never more than eight of you.'),
      el('ul', { className: 'cards' }, ...cards),
    ],
  };
}

function showTrip(trip) {
  return {
    title: trip.name,
    content: [
      heading(trip.name),
      el('p', { className: 'lead' }, trip.about),
      el('p', {}, trip.more),
      facts(trip),
      link(`/book/${trip.slug}`, 'Book this trip', 'main'),
    ],
  };
}

function showBooking(trip) {
  const form = el('section', { className: 'steps' });
  let seats = 2;
  const show = (...content) => form.replaceChildren(...content);

  function chooseSeats() {
    const count = el('output', {}, String(seats));
    const change = (by) => () => {
      seats = Math.min(PLACES, Math.max(1, seats + by));
      count.value = String(seats);
    };
    show(
      el('h2', {}, 'How many are you?'),
      el(
        'div',
        { className: 'counter' },
        el('button', { type: 'button', ariaLabel: 'One fewer', onclick: change(-1) }, '−'),
        count,
        el('button', { type: 'button', ariaLabel: 'One more', onclick: change(1) }, '+'),
      ),
      button('Next', check),
    );
  }

  function check() {
    show(
      el('h2', {}, 'Is that right?'),
      el('p', {}, `${trip.name}, ${seats === 1 ? 'one seat' : `${seats} seats`}: € ${seats * trip.price}.`),
      button('Book', thank),
    );
    window.footfall?.page('Booking: check');
  }

  function thank() {
    show(el('h2', {}, 'See you at the quay'), el('p', {}, 'Be there a quarter of an hour before we leave.'));
    window.footfall?.page('Booking: done');
  }

  chooseSeats();
  return { title: `Book: ${trip.name}`, content: [heading(trip.name), facts(trip), form] };
}

function showHarbour() {
  return {
    title: 'Harbour',
    content: [
      heading('The old harbour'),
      el('p', { className: 'lead' }, 'Five minutes from the station, downhill all the way.'),
      el('p', {}, 'Our boats lie at the second jetty, behind the smokehouse. Tickets are sold aboard, too.'),
      el('p', {}, link('/', 'See the trips')),
    ],
  };
}

function showNothing() {
  return {
    title: 'Not found',
    content: [heading('No such page'), el('p', {}, link('/', 'Back to the trips'))],
  };
}

/** What an address shows. */
function viewOf(path) {
  if (path === '/') return showTrips();
  if (path === '/harbour') return showHarbour();
  const [, what, slug] = /^\/(trips|book)\/([\w-]+)$/.exec(path) ?? [];
  const trip = TRIPS.find((it) => it.slug === slug);
  if (!trip) return showNothing();
  return what === 'book' ? showBooking(trip) : showTrip(trip);
}

function show() {
  const { title, content } = viewOf(location.pathname);
  main.replaceChildren(...content);
  document.title = `${title} | Skerry boats`;
  for (const a of document.querySelectorAll('nav a')) {
    a.ariaCurrent = a.pathname === location.pathname ? 'page' : null;
  }
}

function go(path) {
  history.pushState(null, '', path);
  show();
  scrollTo(0, 0);
  main.querySelector('h1').focus(); // for those who hear the page
}

document.addEventListener('click', (event) => {
  const a = event.target.closest('a');
  const asUsual = event.button !== 0 || event.ctrlKey || event.metaKey || event.shiftKey || event.altKey;
  if (!a || asUsual || a.origin !== location.origin) return;
  event.preventDefault();
  if (a.pathname !== location.pathname) go(a.pathname);
});
addEventListener('popstate', show);

const logIn = document.querySelector('#log-in');
logIn.addEventListener('click', () => {
  const { as, sig } = logIn.dataset;
  window.footfall?.identify(as, sig || undefined);
  logIn.textContent = `Hello, ${as}`;
  logIn.disabled = true;
});

show();
