/* libical's restriction check (RFC 5546): libical_lint < calendar.ics
 *
 * Prints each error that the parser or the check found, and how many there are; ends with 1 where there is one, with
 * 2 where the input is no calendar.
 */
#include <libical/ical.h>
#include <stdio.h>
#include <stdlib.h>

static char *everything(FILE *in)
{
    size_t size = 1 << 16, length = 0, got;
    char *text = malloc(size);

    while (text && (got = fread(text + length, 1, size - length - 1, in)) > 0) {
        length += got;
        if (length + 1 == size)
            text = realloc(text, size *= 2);
    }
    if (text)
        text[length] = 0;
    return text;
}

static void say_errors(icalcomponent *component)
{
    icalproperty *property;
    icalcomponent *part;

    for (property = icalcomponent_get_first_property(component, ICAL_XLICERROR_PROPERTY); property;
         property = icalcomponent_get_next_property(component, ICAL_XLICERROR_PROPERTY))
        printf("%s: %s\n", icalcomponent_kind_to_string(icalcomponent_isa(component)),
               icalproperty_get_xlicerror(property));
    for (part = icalcomponent_get_first_component(component, ICAL_ANY_COMPONENT); part;
         part = icalcomponent_get_next_component(component, ICAL_ANY_COMPONENT))
        say_errors(part);
}

int main(void)
{
    char *text = everything(stdin);
    icalcomponent *calendar = text ? icalparser_parse_string(text) : NULL;
    int errors;

    if (!calendar || icalcomponent_isa(calendar) != ICAL_VCALENDAR_COMPONENT) {
        puts("not one calendar");
        return 2;
    }
    icalrestriction_check(calendar);
    say_errors(calendar);
    errors = icalcomponent_count_errors(calendar);
    printf("%d errors\n", errors);
    return errors > 0;
}
