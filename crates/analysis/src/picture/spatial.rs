//! How much there is to see in a picture: spatial information.

use super::plane::Plane;

/// Spatial information of a picture (ITU-T P.910, 7.1): the standard deviation of what a Sobel filter leaves of its luma, in
/// steps of 8 bits. The outermost samples have no neighbours and are left out. `None` of pictures less than three samples wide or
/// high.
pub fn spatial_information(luma: &Plane<'_>) -> Option<f64> {
    let (width, height) = (luma.width(), luma.height());
    let count = (width.checked_sub(2)? as f64) * (height.checked_sub(2)? as f64);
    if count == 0.0 {
        return None;
    }
    let mut rows = [(); 3].map(|()| vec![0u8; width]);
    let (mut sum, mut squares) = (0.0, 0.0);
    for y in 0..height {
        rows.rotate_left(1);
        let [above, middle, below] = &mut rows;
        luma.copy_row(y, below);
        if y < 2 {
            continue;
        }
        let columns = above.windows(3).zip(middle.windows(3)).zip(below.windows(3));
        for ((above, middle), below) in columns {
            let gradient = sobel(above, middle, below);
            sum += gradient;
            squares += gradient * gradient;
        }
    }
    let mean = sum / count;
    Some((squares / count - mean * mean).max(0.0).sqrt())
}

/// The length of the gradient at the middle of nine samples.
fn sobel(above: &[u8], middle: &[u8], below: &[u8]) -> f64 {
    let (&[a, b, c], &[d, _, f], &[g, h, i]) = (above, middle, below) else { return 0.0 };
    let [a, b, c, d, f, g, h, i] = [a, b, c, d, f, g, h, i].map(i32::from);
    let across = (c + 2 * f + i) - (a + 2 * d + g);
    let down = (g + 2 * h + i) - (a + 2 * b + c);
    f64::from(across * across + down * down).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(width: usize, samples: &[u8]) -> Option<f64> {
        spatial_information(&Plane::new(samples, width, width, samples.len() / width, 8).unwrap())
    }

    #[test]
    fn flat_pictures_and_even_slopes_have_none() {
        assert_eq!(of(4, &[128; 16]), Some(0.0));
        let slope: Vec<u8> = (0..64).map(|index| index % 8 * 10).collect();
        assert_eq!(of(8, &slope), Some(0.0));
        assert_eq!(of(2, &[1; 8]), None);
    }

    #[test]
    fn an_edge_has_some_by_its_height() {
        // Eight columns, the right half brighter by 100: of six columns in the middle, two see 4 x 100.
        let edge: Vec<u8> = (0..64).map(|index| if index % 8 < 4 { 50 } else { 150 }).collect();
        let expected = (400.0f64.powi(2) / 3.0 - (400.0 / 3.0f64).powi(2)).sqrt();
        assert!((of(8, &edge).unwrap() - expected).abs() < 1e-9);
    }

    #[test]
    fn ten_bits_are_read_as_eight() {
        let eight: Vec<u8> = (0..100u32).map(|index| (index * 37 % 251) as u8).collect();
        let ten: Vec<u8> = eight.iter().flat_map(|sample| (u16::from(*sample) << 2).to_le_bytes()).collect();
        let plane = Plane::new(&ten, 20, 10, 10, 10).unwrap();
        assert_eq!(spatial_information(&plane), of(10, &eight));
    }
}
