"""Words that make a capitalised word the name of a person, or show that it is none."""

from __future__ import annotations

_GIVEN = """
    James John Robert Michael William David Richard Charles Joseph Thomas Christopher Daniel Paul Donald George
    Kenneth Steven Edward Brian Ronald Anthony Kevin Jason Matthew Gary Timothy Jose Larry Jeffrey Scott Eric
    Stephen Andrew Raymond Gregory Joshua Jerry Dennis Walter Patrick Peter Harold Douglas Henry Carl Arthur Ryan
    Roger Juan Albert Jonathan Justin Terry Gerald Keith Samuel Willie Ralph Lawrence Nicholas Roy Benjamin Bruce
    Brandon Adam Harry Fred Wayne Billy Steve Louis Jeremy Aaron Randy Howard Eugene Carlos Russell Bobby Victor
    Martin Ernest Phillip Todd Jesse Craig Alan Shawn Philip Chris Johnny Earl Jimmy Antonio Bryan Tony Luis Mike
    Stanley Leonard Nathan Manuel Rodney Curtis Norman Allen Marvin Vincent Glenn Jeffery Travis Jeff Jacob Melvin
    Alfred Kyle Bradley Herbert Frederick Joel Edwin Eddie Ricky Troy Randall Barry Alexander Bernard Mario Leroy
    Francisco Marcus Micheal Theodore Clifford Miguel Oscar Jim Tom Calvin Alex Jon Ronnie Lloyd Tommy Leon Derek
    Warren Darrell Jerome Floyd Leo Alvin Tim Wesley Gordon Greg Jorge Dustin Pedro Derrick Dan Lewis Zachary Corey
    Herman Maurice Vernon Roberto Clyde Glen Hector Shane Ricardo Sam Rick Lester Brent Ramon Charlie Tyler Gilbert
    Ethan Noah Liam Logan Lucas Oliver Elijah Aiden Ahmed Mohammed Muhammad Wei Hiroshi Raj Rajesh Sanjay Vijay Omar
    Hassan Ivan Dmitri Hans Klaus Pierre Luca Giovanni Mary Patricia Linda Barbara Elizabeth Jennifer Maria Susan
    Margaret Dorothy Lisa Nancy Karen Betty Helen Sandra Donna Carol Ruth Sharon Michelle Laura Sarah Kimberly
    Deborah Jessica Shirley Cynthia Angela Melissa Brenda Amy Anna Rebecca Kathleen Pamela Martha Debra Amanda
    Stephanie Carolyn Christine Marie Janet Catherine Frances Ann Joyce Diane Alice Julie Heather Teresa Doris
    Gloria Evelyn Cheryl Mildred Katherine Joan Ashley Judith Janice Kelly Nicole Judy Christina Kathy Theresa
    Beverly Denise Tammy Irene Jane Lori Rachel Marilyn Andrea Kathryn Louise Sara Anne Jacqueline Wanda Bonnie
    Julia Lois Tina Phyllis Norma Paula Diana Annie Lillian Emily Peggy Gladys Rita Connie Tracy Edna Tiffany Carmen
    Rosa Cindy Wendy Edith Kim Sherry Sylvia Josephine Thelma Shannon Sheila Ethel Ellen Elaine Marjorie Carrie
    Monica Esther Pauline Emma Juanita Anita Rhonda Eva Debbie Leslie Clara Lucille Jamie Joanne Eleanor Valerie
    Danielle Megan Alicia Suzanne Michele Gail Bertha Darlene Veronica Jill Erin Geraldine Lauren Cathy Joann
    Lorraine Lynn Sally Regina Erica Beatrice Dolores Bernice Audrey Yvonne Annette Samantha Marion Dana Stacy Ana
    Renee Ida Vivian Roberta Brittany Melanie Loretta Yolanda Jeanette Laurie Katie Kristen Vanessa Alma Sue Elsie
    Beth Jeanne Vicki Carla Tara Rosemary Eileen Terri Gertrude Lucy Tonya Ella Stacey Wilma Gina Kristin Jessie
    Natalie Agnes Vera Charlene Bessie Delores Melinda Arlene Maureen Colleen Allison Tamara Sophia Olivia Isabella
    Ava Mia Chloe Abigail Fatima Aisha Priya Mei Yuki Olga Svetlana Ingrid Sofia Camila Lucia Adrian Alejandro
    Alejandra Victoria Sean Ariel Gabriella Gabriel Gabrielle Tracey Shawna Hannah Madison Alexis Brianna Kayla
    Jasmine Haley Kaitlyn Courtney Rebekah Cassandra Miranda Kara Mallory Bethany Chelsea Molly Savannah Natasha
    Sabrina Whitney Caroline Candace Candice Cameron Evan Dylan Connor Cody Trevor Jared Blake Seth Ian Xavier Isaac
    Caleb Luke Garrett Devin Dominic Colin Marc Spencer Preston Edgar Casey Mitchell Brett Dwayne Darren Duane
    Geoffrey Julian Fernando Eduardo Sergio Rafael Raul Armando Javier Andre Damon Kurt Neil Micah Kristina Kristine
    Jaclyn Jocelyn Erika Meghan Katelyn Lindsey Lindsay Lacey Kelsey Krista Kendra Latoya Leah Lydia Makayla Marissa
    Monique Nathaniel Nichole Nina Paige Ross Shelby Shelley Shelly Sherri Sheri Sophie Stefanie Tabitha Tamika
    Tanya Tasha Toni Traci Tristan Tyrone Vickie Yesenia Zoe Abby Adriana Aimee Alexandra Alexandria Alison Alyssa
    Becky Belinda Bianca Bridget Brooke Caitlin Cheyenne Claire Claudia Cristina Cristian Danny Darius Deanna
    Desiree Dominique Erik Felicia Felix Francis Gregg Gwendolyn Heidi Isabel Jaime Jasmin Jenna Jeremiah Jillian
    Joe Joanna Jodi Jody Kaitlin Karina Karla Kari Katrina Kellie Kerri Kerry Kirsten Kristi Kristy Latasha Lorenzo
    Mackenzie Malik Margarita Mariah Marisa Michaela Mindy Natalia Nicolas Priscilla Rachael Reginald Robyn Shaun
    Stacie Stuart Terrance Terrence Wyatt Yvette Hailey Kayleigh Makenzie Riley
"""
_NOT_SURNAMES = """
    Syndrome Disease Disorder Sign Test Score Scale Index Criteria Classification Method Model Murmur Reaction
    Anomaly Malformation Phenomenon Hospital University Institute Foundation Center Centre College Clinic Clinics
    School Medical Memorial Health Study Trial Group Library Laboratory Laboratories Database Collaboration Network
    Society Association Cancer Inventory Questionnaire Checklist And Or The In Of For With Was Is Has Had Who Said
    Says Were From At On By January February March April May June July August September October November December
    Monday Tuesday Wednesday Thursday Friday Saturday Sunday Island County City State Street Road Avenue Press Award
    Prize Day Park Company Zika Virus Vaccine Hospitals Report Review Rating Depression Anxiety Lung Breast Bay
    River Lake Beach Brain Atlas Zeiss Wiley Critical Care Physical Leone
"""
GIVEN = frozenset(_GIVEN.split())
"""Common given names (US census 1990 and some others) but for those that are everyday words or places too."""

NOT_SURNAMES = frozenset(_NOT_SURNAMES.split())
"""Capitalised words that follow a given name without being a family name."""

THINGS = (
    r"(?:syndromes?|diseases?|disorders?|signs?|tests?|scores?|scales?|ind(?:ex|ices)|criteria|classification|methods?|"
    r"models?|murmur|reactions?|anomal(?:y|ies)|malformations?|phenomenon|procedures?|operation|technique|equation|"
    r"formula|hospitals?|university|institutes?|foundation|cent(?:er|re)s?|college|clinics?|school|laborator(?:y|ies)|"
    r"medical|memorial|health|stud(?:y|ies)|trials?|group|librar(?:y|ies)|inventory|questionnaire|checklist|award|prize|"
    r"lecture|cells?|rats?|mice|mouse|virus|vaccine|palsy|tumou?rs?|dystrophy|neuropathy|deficiency|catheter|tube)"
)
"""What is named after people: an eponym or an institution is no patient."""
