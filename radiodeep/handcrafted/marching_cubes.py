"""The published table of marching cubes, and the integers per cell that its mesh needs.

A cell is a cube of eight voxels. Its corners and edges are numbered as in the figures of Lorensen
and Cline: corner k set means bit k of the cell's code. All vertices lie at the middle of an edge.

References
----------
Lorensen WE, Cline HE. Marching cubes: a high resolution 3D surface construction algorithm.
Computer Graphics 21(4):163-169, 1987. doi:10.1145/37402.37422
"""

import numpy as np

# One word for each code from 0 to 127: its triangles as triples of edge numbers (hexadecimal).
# A code above 127 has the triangles of its complement, seen from the other side.
_TRIANGLES = """
- 083 019 183981 12a 08312a 92a029 2832a8a98 3b2 0b28b0 19023b 1b219b98b 3a1ba3 0a108a8ba 3903b9ba9
98aa8b 478 430734 019847 419471731 12a847 34730412a 92a902847 2a9297273794 8473b2 b47b24204
90184723b 47b94b9b2921 3a13ba784 1ba14b1047b4 47890b9bab03 47b4b99ba 954 954083 054150 854835315
12a954 30812a495 52a542402 2a5325354348 95423b 0b208b495 05401523b 21525828b485 a3ba13954
4950818a18ba 54050b5bab03 54858aa8b 978579 930953573 078017157 153357 978957a12 a12950530573
802825857a52 2a5253357 7957893b2 95797292027b 23b018178157 b21b17715 958857a13a3b 5705097b010aba0
ba0b03a50807570 ba57b5 a65 0835a6 9015a6 1831985a6 165261 165126308 965906026 598582526328 23ba65
b08b20a65 01923b5a6 5a61929b298b 63b653513 08b0b50515b6 3b6036065059 65969bb98 5a6478 43047365a
1905a6847 a65197173794 612651478 125526304347 847905065026 739794329596269 3b2784a65 5a647242027b
01947823b5a6 9219b294b7b45a6 8473b53515b6 51b5b610b7b404b 059065036b63847 65969b4797b9 a4964a
4a649a083 a01a60640 83181686461a 149124264 308129249264 024426 832824426 a49a64b23 08228b49a4a6
3b201606461a 64161a48121b8b1 964936913b63 8b1810b61914641 3b6360064 648b68 7a678a89a 0730a709a67a
a671a7178180 a67a71173 126168189867 269291679093739 780706602 732672 23ba68a89867 20727b09767a9a7
1801781a767a23b b21b17a61671 896867916b63136 091b67 7807063b0b60 7b6
"""

_CORNERS = np.array([(0, 0, 0), (0, 0, 1), (0, 1, 1), (0, 1, 0), (1, 0, 0), (1, 0, 1), (1, 1, 1), (1, 1, 0)])
_EDGES = np.array([(0, 1), (1, 2), (2, 3), (3, 0), (4, 5), (5, 6), (6, 7), (7, 4), (0, 4), (1, 5), (2, 6), (3, 7)])


def _cell_integers():
    vertices = _CORNERS[_EDGES].sum(axis=1)  # (12 edges, zyx), in half voxels
    crosses = np.zeros((128, 5, 3), np.int64)
    triple = np.zeros(128, np.int64)
    area_vector = np.zeros((128, 3), np.int64)
    for code, word in enumerate(_TRIANGLES.split()):
        edges = [] if word == "-" else [int(digit, 16) for digit in word]
        for t, corners in enumerate(vertices[edges].reshape(-1, 3, 3)):
            a, b, c = corners  # in this order the volume is positive
            crosses[code, t] = np.cross(b - a, c - a)
            triple[code] += np.dot(np.cross(a, b), c)
            area_vector[code] += np.cross(a, b) + np.cross(b, c) + np.cross(c, a)
    return crosses, triple, area_vector


# (128, 5, 3) cross products of the triangles' edges; (128,) triple products about the cell's corner;
# (128, 3) their change with the cell's place. All in half voxels, (z, y, x).
CROSSES, TRIPLE, AREA_VECTOR = _cell_integers()
