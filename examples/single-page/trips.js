export const TRIPS = [
  {
    slug: 'seal-bank',
    name: 'The seal bank',
    hours: 2,
    price: 28,
    about: 'Out with the tide to the sand where the seals lie, and back before it turns.',
    more: 'We keep a hundred metres away and let the engine rest. In June there are pups. Bring something warm: on the water it is always a coat colder than on the quay.',
  },
  {
    slug: 'lighthouse',
    name: 'To the lighthouse',
    hours: 4,
    price: 46,
    about: 'An hour across, 187 steps up, and the keeper’s soup at the top.',
    more: 'The light has been unmanned since 1984, but the kitchen has not. The landing is a ladder of nine rungs, and needs two free hands.',
  },
  {
    slug: 'night-sail',
    name: 'Under the stars',
    hours: 3,
    price: 39,
    about: 'Sails only, lamps out. On some nights in August the sea glows too.',
    more: 'We leave at dusk and sail where the wind wants to go. If it is cloudy on the day, you may choose another evening at the quay.',
  },
];
