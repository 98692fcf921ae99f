export interface MenuItem {
  readonly name: string;
  /** Öre. */
  readonly unitPrice: number;
}
export type Menu = readonly [MenuItem, ...MenuItem[]];

export interface Shop {
  readonly name: string;
  readonly menu: Menu;
}

const item = (name: string, kronor: number): MenuItem => ({ name, unitPrice: kronor * 100 });

const bakery: Menu = [
  item("Cinnamon bun", 35),
  item("Cardamom knot", 38),
  item("Sourdough loaf", 72),
  item("Almond tart", 45),
];
const fishmonger: Menu = [
  item("Shrimp sandwich", 145),
  item("Fish soup", 129),
  item("Gravlax, 200 g", 98),
  item("Smoked mackerel", 85),
];
const kitchen: Menu = [
  item("Meatballs with lingonberries", 139),
  item("Veggie bowl", 125),
  item("Pea soup and pancakes", 95),
  item("Rhubarb soda", 32),
];
const pizzeria: Menu = [
  item("Margherita", 115),
  item("Capricciosa", 125),
  item("Kebab pizza", 129),
  item("Pizza salad", 20),
];
const flowers: Menu = [
  item("Tulips, ten", 89),
  item("Seasonal bouquet", 249),
  item("Pot of lavender", 79),
  item("Greeting card", 29),
];
const grocer: Menu = [
  item("Oat milk, 1 l", 24),
  item("Eggs, twelve", 46),
  item("Crispbread", 33),
  item("Tomatoes on the vine, 500 g", 29),
  item("Coffee, 450 g", 69),
];
const books: Menu = [
  item("Crime novel", 89),
  item("City map", 119),
  item("Notebook", 59),
  item("Picture book", 139),
];

/** More shops than a city usually gets; past the last one they get branches. */
export const SHOPS: readonly Shop[] = [
  { name: "Kanel & Kardemumma", menu: bakery },
  { name: "Feskekörka Deli", menu: fishmonger },
  { name: "Mormors Kök", menu: kitchen },
  { name: "Pizzeria Vasa", menu: pizzeria },
  { name: "Blomsterboden", menu: flowers },
  { name: "Hörnets Livs", menu: grocer },
  { name: "Bageri Magasinet", menu: bakery },
  { name: "Antikvariat Lejonet", menu: books },
  { name: "Sjöbaren", menu: fishmonger },
  { name: "Gröna Skålen", menu: kitchen },
  { name: "Da Luigi", menu: pizzeria },
  { name: "Linnés Frukt & Grönt", menu: grocer },
  { name: "Rosor & Ris", menu: flowers },
  { name: "Sagobutiken", menu: books },
  { name: "Surdeg", menu: bakery },
  { name: "Husmans", menu: kitchen },
];

export const BUYER_NAMES = [
  ..."Astrid Bengt Camilla David Elsa Fredrik Greta Hassan Ingrid Johan Karin Leila Malin Nils Olga".split(
    " ",
  ),
  ..."Pelle Rakel Stina Tomas Ulla Viktor Wilma Yusuf Åsa Örjan Amira Birger Cecilia Dragan Ebba".split(
    " ",
  ),
] as const;

export const COURIER_NAMES =
  "Adam Bella Carlos Dina Erik Fatima Gustav Hanna Isak Jonna Kofi Lova".split(" ");
